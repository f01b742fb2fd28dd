// Lookup tables (fragments, export, ids): metadata blocks, then the offset of each of them. The
// superblock names the place of the offsets. The kernel refuses an image in which anything stands
// between the offsets and the next table, so tables are written back to back.

import { type Compress, MetadataWriter } from "./metadata.ts";

export interface EncodedTable {
  bytes: Uint8Array[];
  /** Of all bytes. */
  size: number;
  /** Where the offsets start, from the start of the image. */
  start: number;
}

/** @param at offset from the start of the image at which the table will stand */
export function encodeTable(entries: Uint8Array, at: number, compress: Compress): EncodedTable {
  const metadata = new MetadataWriter(compress);
  metadata.append(entries);
  const { bytes, size, starts } = metadata.finish();
  return {
    bytes: [...bytes, encodeOffsets(starts, at)],
    size: size + starts.length * 8,
    start: at + size,
  };
}

/** Offsets of metadata blocks, 8 bytes each, `at` being where the first block stands. */
export function encodeOffsets(starts: readonly number[], at: number): Buffer {
  const offsets = Buffer.alloc(starts.length * 8);
  starts.forEach((start, i) => {
    offsets.writeBigUInt64LE(BigInt(at + start), i * 8);
  });
  return offsets;
}
