import { readdirSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { DEFAULT_NODE } from "../../../../builder/app/node/check-interpreter.ts";
import { KNOWN } from "../../../../builder/app/node/interpreter.ts";
import { knownStart } from "../../../../builder/app/node/known-start.ts";
import { templatesPath } from "../../../../builder/host/paths.ts";
import { matchProfile, startListOf } from "../../../../builder/profile/apply-profile.ts";
import { fileNode } from "../../../../builder/tree/node.ts";
import { Tree } from "../../../../builder/tree/tree.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const digests = Object.values(KNOWN).map(({ sha256 }) => sha256);

/** A file of the size of a Node, of which nothing is read. */
function interpreter(digest: string, size = 100 << 20) {
  const file = path.join(temporaryDirectory(), "node");
  writeFileSync(file, "");
  truncateSync(file, size);
  return { file, digest, version: DEFAULT_NODE };
}

test("what starts read is known of each default Node, and of no other", () => {
  expect(Object.keys(KNOWN).every((name) => name.endsWith(DEFAULT_NODE))).toBe(true);
  const names = readdirSync(path.join(templatesPath(), "node/starts"));
  expect(names.sort()).toEqual(digests.map((digest) => `${digest}.profile`).sort());
  expect(knownStart(interpreter("0".repeat(64)), ["node/start.cjs"])).toBeUndefined();
});

test.each(digests)(
  "of %s the program comes first, then its libraries, the app's own last",
  (digest) => {
    const node = interpreter(digest);
    const { profile = [], from } =
      knownStart(node, ["node/start.cjs", "app/main.js", "gone"]) ?? {};
    expect(from).toBe(`what is known of Node ${DEFAULT_NODE}`);
    const tree = new Tree();
    const numbers = new Map<unknown, number>();
    const add = (place: string, size: number) => {
      const file = fileNode({ from: "image", size });
      tree.add(place, file);
      numbers.set(file, numbers.size + 1);
    };
    // The copy that is packed has a loader behind its end.
    add("node/bin/node", (100 << 20) + 9000);
    add("lib/bundled/libstdc++.so.6", 8192);
    add("app/main.js", 100);
    add("node/start.cjs", 100);
    const list = startListOf(matchProfile(profile, tree).files, (file) => numbers.get(file) ?? 0);
    const runs = list?.runs ?? [];
    expect(runs[0]).toMatchObject({ number: 1, first: 0 });
    expect(runs).toContainEqual({ number: 1, first: 25600, count: 3 });
    expect(runs.findIndex(({ number }) => number === 2)).toBeLessThan(30);
    expect(runs.slice(-2)).toEqual([
      { number: 4, first: 0, count: 1 },
      { number: 3, first: 0, count: 1 },
    ]);
    const pages = runs.reduce((sum, { count }) => sum + count, 0);
    // A hello needs a quarter of the program, not all of it.
    expect(pages * 4096).toBeGreaterThan(12 << 20);
    expect(pages * 4096).toBeLessThan(40 << 20);
    expect(list).toMatchObject({ cut: 0, gap: 0 });
  },
);
