/** The same input gives the same bytes. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { treeFromDirectory } from "../../builder/input/add-directory.ts";
import type { WriteOptions } from "../../builder/squashfs/squashfs-options.ts";
import { writeSquashfs } from "../../builder/squashfs/writer.ts";
import type { DirectoryNode, Node } from "../../builder/tree/node.ts";
import type { Tree } from "../../builder/tree/tree.ts";
import { hashFile, makeSampleTree, noise, prose } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, bundleCommand, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let dir: string;
let source: string;
let original: string;

beforeAll(async () => {
  dir = temporaryDirectory();
  source = `${dir}/source`;
  makeSampleTree(source);
  addManyFiles(source);
  original = await imageOf(source);
});

/** Enough work that threads overtake each other. */
function addManyFiles(target: string): void {
  for (let d = 0; d < 20; d++) {
    mkdirSync(`${target}/many-${d}`);
    for (let f = 0; f < 40; f++) {
      const size = (d * 7919 + f * 104729) % 20_000;
      const bytes = f % 3 === 0 ? noise(size, `${f}`) : prose(size, `${d} ${f}`);
      writeFileSync(`${target}/many-${d}/${f}.txt`, bytes);
      chmodSync(`${target}/many-${d}/${f}.txt`, 0o644);
    }
    chmodSync(`${target}/many-${d}`, 0o755);
  }
}

async function imageOf(
  from: string,
  options: WriteOptions = {},
  change: (tree: Tree) => void = () => {},
): Promise<string> {
  const tree = await treeFromDirectory(from, { devices: true });
  change(tree);
  const image = `${dir}/image`;
  await writeSquashfs(tree, { path: image }, options);
  return hashFile(image);
}

describe.each([1, 2, 7, 32])("%d threads", (threads) => {
  test("give the same image", async () => {
    expect(await imageOf(source, { threads })).toBe(original);
  });
});

test("levels and block sizes are the same for any number of threads too", async () => {
  for (const options of [
    { level: 1, blockSize: 4096 },
    { compression: "gzip", level: 1 },
    { compression: "none", blockSize: 1 << 20 },
  ] satisfies WriteOptions[]) {
    const alone = await imageOf(source, { ...options, threads: 1 });
    expect(await imageOf(source, { ...options, threads: 5 })).toBe(alone);
  }
});

test("the order in which a directory lists its names does not matter", async () => {
  const reverse = (node: Node): void => {
    if (node.kind !== "directory") return;
    const entries = [...node.entries].reverse();
    node.entries.clear();
    for (const [name, child] of entries) {
      (node as DirectoryNode).entries.set(name, child);
      reverse(child);
    }
  };
  expect(await imageOf(source, {}, (tree) => reverse(tree.root))).toBe(original);
});

test("the place, owner and times of the tree do not matter", async () => {
  const copy = `${dir}/elsewhere/with a longer name`;
  mkdirSync(path.dirname(copy));
  execFileSync("cp", ["-a", source, copy]);
  execFileSync("find", [copy, "-exec", "touch", "-h", "-d", "2001-02-03", "{}", "+"]);
  if (process.getuid?.() === 0) {
    // chown takes setuid bits away; they are part of the input.
    execFileSync("find", [copy, "-type", "d", "-exec", "chown", "1000:1000", "{}", "+"]);
  }
  expect(readdirSync(copy).length).toBe(readdirSync(source).length);
  expect(await imageOf(copy)).toBe(original);
});

// Whole processes, because time zone, locale and umask belong to one.
skipUnless("root")("user, umask, time zone and locale do not matter", async () => {
  const home = userDirectory();
  const app = `${home}/app`;
  mkdirSync(`${app}/bin`, { recursive: true });
  addManyFiles(app);
  writeFileSync(`${app}/bin/app`, "#!/bin/sh\n", { mode: 0o755 });
  execFileSync("chmod", ["-R", "a+rX", app]);
  const build = (out: string) => [bundleCommand, "build", app, "-o", out, "--name", "app"];
  const shell = (umask: string, out: string) => [
    "-c",
    `umask ${umask}; exec "$0" "$@"`,
    process.execPath,
    ...build(out),
  ];
  const asRoot = await run("sh", shell("077", `${dir}/by-root`), {
    env: { TZ: "Asia/Tokyo", LC_ALL: "C" },
  });
  expect(asRoot).toMatchObject({ status: 0 });
  const byUser = await asUser("sh", shell("002", `${home}/by-user`), home, {
    env: { TZ: "America/Lima", LC_ALL: "tr_TR.UTF-8" },
  });
  expect(byUser).toMatchObject({ status: 0 });
  expect(hashFile(`${home}/by-user`)).toBe(hashFile(`${dir}/by-root`));
});
