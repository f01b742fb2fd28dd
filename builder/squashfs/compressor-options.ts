// The compressor options block that follows the superblock, byte for byte as mksquashfs writes it:
// only when a value is not the default, one metadata block, never compressed.

import { METADATA_STORED } from "./metadata.ts";
import { type Compression, LEVELS } from "./squashfs-options.ts";

const GZIP_WINDOW_BITS = 15;

/** The block with its header, or undefined where the defaults say it all. */
export function encodeCompressorOptions(
  compression: Compression,
  level: number | undefined,
): Buffer | undefined {
  if (compression === "none" || level === undefined || level === LEVELS[compression].default) {
    return undefined;
  }
  const size = compression === "gzip" ? 8 : 4;
  const block = Buffer.alloc(2 + size);
  block.writeUInt16LE(METADATA_STORED | size, 0);
  block.writeUInt32LE(level, 2);
  if (compression === "gzip") block.writeUInt16LE(GZIP_WINDOW_BITS, 6); // Then no strategies: 0.
  return block;
}
