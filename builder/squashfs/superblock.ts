// The superblock: 96 bytes at the start of an image, little endian.
// Format: https://dr-emann.github.io/squashfs/squashfs.html and the kernel's fs/squashfs.

import type { Compression } from "./squashfs-options.ts";

export const SUPERBLOCK_SIZE = 96;

/** In place of the offset of a table that is not there. */
const NO_TABLE = 0xffffffffffffffffn;

/** Images are padded to this, so that a loop device sees whole blocks. Bytes. */
export const IMAGE_ALIGNMENT = 4096;

const MAGIC = 0x73717368; // "hsqs"
const MAJOR = 4;
const MINOR = 0;

/** Of what the image is made, for whoever reads it; the kernel looks only at OPTIONS. */
export const FLAGS = {
  uncompressedInodes: 0x0001,
  uncompressedData: 0x0002,
  uncompressedFragments: 0x0008,
  noFragments: 0x0010,
  deduplicated: 0x0040,
  exportable: 0x0080,
  uncompressedXattrs: 0x0100,
  noXattrs: 0x0200,
  options: 0x0400,
  uncompressedIds: 0x0800,
} as const;

const COMPRESSOR_GZIP = 1;
const COMPRESSOR_ZSTD = 6;

/** An image in which nothing is compressed says gzip: every kernel that mounts squashfs has it. */
export function compressorId(compression: Compression): number {
  return compression === "zstd" ? COMPRESSOR_ZSTD : COMPRESSOR_GZIP;
}

export interface Superblock {
  inodeCount: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Bytes. */
  blockSize: number;
  fragmentCount: number;
  compressor: number;
  flags: number;
  idCount: number;
  /** Inode reference. */
  root: bigint;
  /** Without padding. */
  bytesUsed: number;
  /** Offsets from the start of the image; undefined: no such table. */
  idTable: number;
  xattrTable: number | undefined;
  inodeTable: number;
  directoryTable: number;
  fragmentTable: number | undefined;
  exportTable: number;
}

export function encodeSuperblock(superblock: Superblock): Buffer {
  const bytes = Buffer.alloc(SUPERBLOCK_SIZE);
  const offset = (table: number | undefined) => (table === undefined ? NO_TABLE : BigInt(table));
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(superblock.inodeCount, 4);
  bytes.writeUInt32LE(superblock.mtime, 8);
  bytes.writeUInt32LE(superblock.blockSize, 12);
  bytes.writeUInt32LE(superblock.fragmentCount, 16);
  bytes.writeUInt16LE(superblock.compressor, 20);
  bytes.writeUInt16LE(Math.log2(superblock.blockSize), 22);
  bytes.writeUInt16LE(superblock.flags, 24);
  bytes.writeUInt16LE(superblock.idCount, 26);
  bytes.writeUInt16LE(MAJOR, 28);
  bytes.writeUInt16LE(MINOR, 30);
  bytes.writeBigUInt64LE(superblock.root, 32);
  bytes.writeBigUInt64LE(BigInt(superblock.bytesUsed), 40);
  bytes.writeBigUInt64LE(BigInt(superblock.idTable), 48);
  bytes.writeBigUInt64LE(offset(superblock.xattrTable), 56);
  bytes.writeBigUInt64LE(BigInt(superblock.inodeTable), 64);
  bytes.writeBigUInt64LE(BigInt(superblock.directoryTable), 72);
  bytes.writeBigUInt64LE(offset(superblock.fragmentTable), 80);
  bytes.writeBigUInt64LE(BigInt(superblock.exportTable), 88);
  return bytes;
}
