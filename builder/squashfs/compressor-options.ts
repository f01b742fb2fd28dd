// The compressor options block that follows the superblock, byte for byte as mksquashfs writes it:
// only when a value is not the default, one metadata block, never compressed.

import { METADATA_SIZE, METADATA_STORED } from "./metadata.ts";
import { LEVELS, type ResolvedOptions } from "./squashfs-options.ts";

const GZIP_WINDOW_BITS = 15;

/** The one version that there is. */
const LZ4_LEGACY = 1;
const LZ4_FLAG_HC = 1;

/**
 * Dictionary of xz, bytes: that of a block. The kernel's decoder has room for one of a metadata block
 * at least, and refuses options that ask for less.
 */
export function xzDictionary(blockSize: number): number {
  return Math.max(blockSize, METADATA_SIZE);
}

/** The block with its header, or undefined where the defaults say it all. */
export function encodeCompressorOptions(options: ResolvedOptions): Buffer | undefined {
  const words = optionWords(options);
  if (words === undefined) return undefined;
  const size = words.length * 4;
  const block = Buffer.alloc(2 + size);
  block.writeUInt16LE(METADATA_STORED | size, 0);
  for (const [i, word] of words.entries()) block.writeUInt32LE(word >>> 0, 2 + i * 4);
  return block;
}

/** Its words of 32 bits. */
function optionWords({
  compression,
  level = 0,
  variants,
  blockSize,
}: ResolvedOptions): number[] | undefined {
  switch (compression) {
    case "none":
      return undefined;
    case "gzip":
      // The window's and the strategies' halves of one word.
      if (level === LEVELS.gzip.default && variants === 0) return undefined;
      return [level, GZIP_WINDOW_BITS | (variants << 16)];
    case "xz":
      return variants === 0 ? undefined : [xzDictionary(blockSize), variants];
    case "lz4":
      // The kernel takes no image of lz4 without.
      return [LZ4_LEGACY, level > 1 ? LZ4_FLAG_HC : 0];
    case "zstd":
      return level === LEVELS.zstd.default ? undefined : [level];
  }
}
