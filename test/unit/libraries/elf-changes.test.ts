/** What becomes of programs whose digest is known: the bytes that a changed copy would have. */

import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { resolveBuildOptions } from "../../../builder/config/build-options.ts";
import { Learned } from "../../../builder/host/learned.ts";
import { treeFromDirectory } from "../../../builder/input/add-directory.ts";
import { linkLibraries } from "../../../builder/libraries/add-libraries.ts";
import { writeSquashfs } from "../../../builder/squashfs/writer.ts";
import { pathOnDisk } from "../../../builder/tree/node.ts";
import { readContents } from "../../../builder/tree/read-contents.ts";
import type { Tree } from "../../../builder/tree/tree.ts";
import { writeFiles } from "../../support/case.ts";
import { makeDynamicElf } from "../../support/dynamic-elf.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const interpreter = "/lib/ld-musl-x86_64.so.1";
const needed = ["liba.so", "libc.so"];
const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(300_000)]);
const programs = {
  "bin/p": padded(makeDynamicElf({ interpreter, needed })),
  "bin/deep/q": padded(makeDynamicElf({ interpreter, needed, runpath: "/opt/gone" })),
  "bin/r": padded(makeDynamicElf({ interpreter, needed: ["libc.so"] })),
};
let root: string;

beforeAll(() => {
  root = temporaryDirectory();
  const app = Object.entries(programs).map(([at, bytes]) => [`app/${at}`, bytes] as const);
  writeFiles(root, {
    ...Object.fromEntries(app),
    "lib/ld-musl-x86_64.so.1": makeDynamicElf({ constants: "\x001.2.5\0musl libc (x86_64)\0" }),
    "usr/lib/liba.so": makeDynamicElf(),
  });
  for (const at of Object.keys(programs)) chmodSync(path.join(root, "app", at), 0o755);
});

/** Links, with what is learned in `dir`; undefined: as if no digest were known. */
async function link(libc: "host" | "pack", dir: string | undefined, code = "1") {
  const input = path.join(root, "app");
  const tree = await treeFromDirectory(input);
  for (const { node } of tree.walk()) {
    if (node.kind !== "file" || node.contents.from !== "disk" || dir === undefined) continue;
    const bytes = readFileSync(pathOnDisk(node.contents));
    const digest = createHash("sha256").update(bytes).digest("hex");
    node.contents = { ...node.contents, digest };
  }
  const options = resolveBuildOptions({
    input,
    output: "x",
    arch: "x86_64",
    sysroot: root,
    libc,
    withLibs: true,
  });
  const workspace = temporaryDirectory();
  const learned = new Learned(dir, code);
  const { libc: records } = await linkLibraries({ tree, options, workspace, learned });
  return { tree, workspace, records };
}

async function bytesIn(tree: Tree, at: string): Promise<Buffer> {
  const node = tree.get(at);
  if (node?.kind !== "file") return expect.fail(`${at} is not there`);
  const parts: Uint8Array[] = [];
  for await (const part of readContents(node.contents)) parts.push(part);
  return Buffer.concat(parts);
}

async function imageOf(tree: Tree, blockCache?: string): Promise<string> {
  const image = path.join(temporaryDirectory(), "image");
  await writeSquashfs(
    tree,
    { path: image },
    { ...(blockCache && { blockCache }), blockSize: 4096 },
  );
  return createHash("sha256").update(readFileSync(image)).digest("hex");
}

describe.each(["host", "pack"] as const)("with the libc of --libc %s", (libc) => {
  test("programs have the bytes of a changed copy, whatever was learned before", async () => {
    const dir = path.join(temporaryDirectory(), "learned");
    const blocks = path.join(temporaryDirectory(), "blocks");
    const copies = await link(libc, undefined);
    const plain = await imageOf(copies.tree);
    const same = async (code?: string) => {
      const { tree, workspace, records } = await link(libc, dir, code);
      for (const at of Object.keys(programs)) {
        expect((await bytesIn(tree, at)).equals(await bytesIn(copies.tree, at))).toBe(true);
      }
      expect(records).toEqual(copies.records);
      expect([await imageOf(tree), await imageOf(tree, blocks)]).toEqual([plain, plain]);
      return readdirSync(workspace).filter((name) => name.startsWith("elf-"));
    };
    expect(readdirSync(copies.workspace).filter((name) => name.startsWith("elf-"))).not.toEqual([]);
    expect(await same()).toEqual([]); // Nothing is there yet.
    const kept = readdirSync(dir).sort();
    expect(kept.length).toBeGreaterThan(libc === "pack" ? 5 : 1);
    expect(await same()).toEqual([]); // Everything is.
    expect(readdirSync(dir).sort()).toEqual(kept);
    for (const name of kept) writeFileSync(path.join(dir, name), "damaged");
    await same();
    expect(readdirSync(dir).sort()).toEqual(kept);
    for (const name of kept) truncateSync(path.join(dir, name), 40);
    await same();
    await same("other code");
    expect(readdirSync(dir)).toHaveLength(2 * kept.length);
    chmodSync(dir, 0o777);
    await same();
    chmodSync(dir, 0o700);
    const file = path.join(temporaryDirectory(), "file");
    writeFileSync(file, "");
    const { tree } = await link(libc, path.join(file, "learned"));
    expect(await imageOf(tree)).toBe(plain);
  });

  test("what was learned is used", async () => {
    const dir = path.join(temporaryDirectory(), "learned");
    const { tree } = await link(libc, dir);
    const plain = await imageOf(tree);
    // With the digest that belongs there: nobody else knows the name.
    for (const name of readdirSync(dir)) {
      const file = path.join(dir, name);
      const held = readFileSync(file).subarray(0, -32);
      if (held[0] !== 123) continue; // "{": a change
      held.writeUInt8(held.readUInt8(held.length - 1) ^ 1, held.length - 1);
      const digest = createHash("sha256").update(name).update(held).digest();
      writeFileSync(file, Buffer.concat([held, digest]));
    }
    const after = await link(libc, dir);
    expect(await imageOf(after.tree)).not.toBe(plain);
  });
});

test("a file that is not what its digest says is not packed", async () => {
  const dir = path.join(temporaryDirectory(), "learned");
  const input = path.join(root, "app");
  const tree = await treeFromDirectory(input);
  const node = tree.get("bin/p");
  if (node?.kind !== "file" || node.contents.from !== "disk") return expect.fail("bin/p");
  node.contents = { ...node.contents, digest: "0".repeat(64) };
  const options = resolveBuildOptions({
    input,
    output: "x",
    arch: "x86_64",
    sysroot: root,
    libc: "pack",
    withLibs: true,
  });
  const learned = new Learned(dir, "1");
  const linking = linkLibraries({ tree, options, workspace: temporaryDirectory(), learned });
  await expect(linking).rejects.toMatchObject({ code: "E_FILE_CHANGED" });
  const changes = existsSync(dir)
    ? readdirSync(dir).map((name) => readFileSync(path.join(dir, name))[0])
    : [];
  expect(changes).not.toContain(123);
});
