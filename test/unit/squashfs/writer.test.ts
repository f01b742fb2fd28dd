import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { writeSquashfs } from "../../../builder/squashfs/writer.ts";
import { fileNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";
import { noise } from "../../support/image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

function sample(): Tree {
  const tree = new Tree();
  tree.add("dir/file", fileNode("contents"));
  tree.add("dir/copy", fileNode("contents"));
  tree.add("large", fileNode(noise(300_000)));
  return tree;
}

const temporary = () => `${temporaryDirectory()}/image`;

test("the facts are those of the image", async () => {
  const path = temporary();
  const facts = await writeSquashfs(sample(), { path }, { mtime: 42 });
  const bytes = readFileSync(path);
  expect(bytes.length).toBe(facts.paddedBytes);
  expect(facts.paddedBytes % 4096).toBe(0);
  expect(bytes.readBigUInt64LE(40)).toBe(BigInt(facts.bytes));
  expect(bytes.subarray(facts.bytes).every((byte) => byte === 0)).toBe(true);
  expect(facts).toMatchObject({
    compression: "zstd",
    level: 15,
    blockSize: 131072,
    mtime: 42,
    inodes: 5,
    directories: 2,
    files: 3,
    contentBytes: 300_016,
    blocks: 3,
    fragments: 1,
    duplicates: 1,
    sparseBytes: 0,
    ids: 1,
    xattrSets: 0,
  });
});

test("an empty tree is an image too", async () => {
  const path = temporary();
  expect(await writeSquashfs(new Tree(), { path })).toMatchObject({ inodes: 1, fragments: 0 });
});

test("what stands before the offset stays", async () => {
  const [path, alone] = [temporary(), temporary()];
  writeFileSync(path, Buffer.alloc(8192, "before"));
  const fd = openSync(path, "r+");
  await writeSquashfs(sample(), { fd, offset: 8192 });
  closeSync(fd);
  await writeSquashfs(sample(), { path: alone });
  expect(readFileSync(path).subarray(0, 8192)).toEqual(Buffer.alloc(8192, "before"));
  expect(readFileSync(path).subarray(8192)).toEqual(readFileSync(alone));
});

test("an image of unusual level starts with its options", async () => {
  const path = temporary();
  await writeSquashfs(sample(), { path }, { level: 3 });
  const bytes = readFileSync(path);
  expect(bytes.readUInt16LE(24) & 0x0400).toBe(0x0400);
  expect(bytes.subarray(96, 102).toString("hex")).toBe("048003000000");
});

test("kept times give the image the newest of them", async () => {
  const tree = new Tree({ mtime: 5 });
  tree.add("new", fileNode("x", { mtime: 1_700_000_000 }));
  tree.add("old", fileNode("y", { mtime: 1_000_000_000 }));
  const facts = await writeSquashfs(tree, { path: temporary() }, { mtime: "keep" });
  expect(facts.mtime).toBe(1_700_000_000);
});

test("attributes can be left out", async () => {
  const tree = new Tree();
  tree.add("f", fileNode("x", { xattrs: [{ name: "user.a", value: Buffer.from("1") }] }));
  expect((await writeSquashfs(tree, { path: temporary() })).xattrSets).toBe(1);
  expect((await writeSquashfs(tree, { path: temporary() }, { xattrs: false })).xattrSets).toBe(0);
});

test("failures of the output name it", async () => {
  const path = `${temporaryDirectory()}/missing/image`;
  await expect(writeSquashfs(sample(), { path })).rejects.toMatchObject({
    code: "E_OUTPUT_FAILED",
    path,
  });
  await expect(writeSquashfs(sample(), { path: "/dev/full" })).rejects.toMatchObject({
    code: "E_OUTPUT_NO_SPACE",
    path: "/dev/full",
  });
});

test("an aborted signal stops it before it starts", async () => {
  const signal = AbortSignal.abort(new Error("no"));
  await expect(writeSquashfs(sample(), { path: temporary() }, { signal })).rejects.toThrow("no");
});
