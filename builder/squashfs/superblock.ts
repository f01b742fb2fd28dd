// The superblock: 96 bytes at the start of an image, little endian.
// Format: https://dr-emann.github.io/squashfs/squashfs.html and the kernel's fs/squashfs.

import { squashfsFormat } from "../generated/spec.ts";
import type { Compression } from "./squashfs-options.ts";

/** Where its fields are, bytes from its start. */
const at = squashfsFormat.superblock;

export const SUPERBLOCK_SIZE = at.size;

/** In place of the offset of a table that is not there. */
const NO_TABLE = 0xffffffffffffffffn;

/** Images are padded to this, so that a loop device sees whole blocks. Bytes. */
export const IMAGE_ALIGNMENT = 4096;

/** Of what the image is made, for whoever reads it; the kernel looks only at OPTIONS. */
export const FLAGS = squashfsFormat.flags;

/** An image in which nothing is compressed says gzip: every kernel that mounts squashfs has it. */
export function compressorId(compression: Compression): number {
  return squashfsFormat.compressors[compression === "none" ? "gzip" : compression];
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
  exportTable: number | undefined;
}

export function encodeSuperblock(superblock: Superblock): Buffer {
  const bytes = Buffer.alloc(SUPERBLOCK_SIZE);
  const offset = (table: number | undefined) => (table === undefined ? NO_TABLE : BigInt(table));
  bytes.write(squashfsFormat.magic, at.magic, "latin1");
  bytes.writeUInt32LE(superblock.inodeCount, at.inodeCount);
  bytes.writeUInt32LE(superblock.mtime, at.mtime);
  bytes.writeUInt32LE(superblock.blockSize, at.blockSize);
  bytes.writeUInt32LE(superblock.fragmentCount, at.fragmentCount);
  bytes.writeUInt16LE(superblock.compressor, at.compressor);
  bytes.writeUInt16LE(Math.log2(superblock.blockSize), at.blockLog);
  bytes.writeUInt16LE(superblock.flags, at.flags);
  bytes.writeUInt16LE(superblock.idCount, at.idCount);
  bytes.writeUInt16LE(squashfsFormat.major, at.major);
  bytes.writeUInt16LE(squashfsFormat.minor, at.minor);
  bytes.writeBigUInt64LE(superblock.root, at.root);
  bytes.writeBigUInt64LE(BigInt(superblock.bytesUsed), at.bytesUsed);
  bytes.writeBigUInt64LE(BigInt(superblock.idTable), at.idTable);
  bytes.writeBigUInt64LE(offset(superblock.xattrTable), at.xattrTable);
  bytes.writeBigUInt64LE(BigInt(superblock.inodeTable), at.inodeTable);
  bytes.writeBigUInt64LE(BigInt(superblock.directoryTable), at.directoryTable);
  bytes.writeBigUInt64LE(offset(superblock.fragmentTable), at.fragmentTable);
  bytes.writeBigUInt64LE(offset(superblock.exportTable), at.exportTable);
  return bytes;
}
