import { expect, test } from "vitest";
import { compressorId, encodeSuperblock, FLAGS } from "../../../builder/squashfs/superblock.ts";

const superblock = {
  inodeCount: 0x01020304,
  mtime: 0xfffefdfc,
  blockSize: 131072,
  fragmentCount: 5,
  compressor: compressorId("zstd"),
  flags: FLAGS.exportable | FLAGS.deduplicated,
  idCount: 2,
  root: 0x1234_5678_9abcn,
  bytesUsed: 2 ** 40 + 1,
  idTable: 1000,
  xattrTable: undefined,
  inodeTable: 600,
  directoryTable: 700,
  fragmentTable: undefined,
  exportTable: 900,
};

test("the superblock has the format's layout", () => {
  expect(encodeSuperblock(superblock).toString("hex").match(/.{32}/g)).toEqual([
    "6873717304030201fcfdfeff00000200",
    "0500000006001100c000020004000000",
    "bc9a7856341200000100000000010000",
    "e803000000000000ffffffffffffffff",
    "5802000000000000bc02000000000000",
    "ffffffffffffffff8403000000000000",
  ]);
});

test("an image without compression calls itself gzip, which every kernel has", () => {
  expect([compressorId("gzip"), compressorId("zstd"), compressorId("none")]).toEqual([1, 6, 1]);
});
