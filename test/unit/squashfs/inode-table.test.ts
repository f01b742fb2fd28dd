import { expect, test } from "vitest";
import { IdTable } from "../../../builder/squashfs/ids.ts";
import { encodeInodeTables } from "../../../builder/squashfs/inode-table.ts";
import { planTree } from "../../../builder/squashfs/plan.ts";
import { resolveOptions, type WriteOptions } from "../../../builder/squashfs/squashfs-options.ts";
import { XattrTable } from "../../../builder/squashfs/xattrs.ts";
import { directoryNode, symlinkNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";

function encode(tree: Tree, options: WriteOptions) {
  const ids = new IdTable();
  const xattrs = new XattrTable();
  const tables = encodeInodeTables({
    plan: planTree(tree),
    layout: () => {
      throw new Error("there are no files");
    },
    ids,
    xattrs,
    options: resolveOptions(options, 1),
    compress: () => null,
  });
  const inodes = Buffer.concat(tables.inodes.bytes).subarray(2);
  return { ...tables, inodes, ids, xattrs };
}

function sample(): Tree {
  const tree = new Tree({ uid: 7, gid: 8, mtime: 100 });
  tree.add("d", directoryNode({ uid: 9, gid: 7, mtime: 2 ** 33 }));
  tree.add("d/link", symlinkNode("x", { mtime: -5 }));
  return tree;
}

test("the export table has every inode's place by its number", () => {
  const { references, root, inodes } = encode(sample(), { mtime: 1 });
  const places = [0, 1, 2].map((i) => Number(references.readBigUInt64LE(i * 8)));
  expect(places.map((place) => inodes.readUInt32LE(place + 12))).toEqual([1, 2, 3]);
  expect(Number(root)).toBe(places[2]);
});

test("a directory names its parent, the root one that does not exist", () => {
  const { references, inodes } = encode(sample(), { mtime: 1 });
  const parent = (number: number) =>
    inodes.readUInt32LE(Number(references.readBigUInt64LE((number - 1) * 8)) + 28);
  expect([parent(2), parent(3)]).toEqual([3, 4]);
});

test("owners and times are one for all unless they are kept", () => {
  const same = encode(sample(), { mtime: 77 });
  expect([same.ids.count, same.newest]).toEqual([1, 77]);
  expect([0, 25].map((at) => same.inodes.readUInt32LE(at + 8))).toEqual([77, 77]);
  const kept = encode(sample(), { mtime: "keep", owners: "keep" });
  expect(kept.ids.count).toBe(4);
});

test("times outside of 32 bits become the nearest inside", () => {
  const { inodes, newest } = encode(sample(), { mtime: "keep" });
  expect([0, 25].map((at) => inodes.readUInt32LE(at + 8))).toEqual([0, 0xffffffff]);
  expect(newest).toBe(0xffffffff);
});
