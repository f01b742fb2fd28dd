/** Compressed streams that fit into memory as a whole. */
import { addon } from "../native/addon.ts";

/**
 * @returns what the frames or streams decompress to
 * @throws Error that says what is wrong with them
 */
export function decoded(codec: "zstd" | "xz", bytes: Uint8Array): Buffer {
  const step = addon().createStreamDecoder(codec);
  const parts: Buffer[] = [];
  for (let left = bytes; ; ) {
    const { output, read, atEnd, problem } = step(left, true);
    if (problem !== "") throw new Error(`its ${codec} stream is damaged: ${problem}`);
    parts.push(output);
    left = left.subarray(read);
    if (output.length > 0 || read > 0) continue;
    if (!atEnd || left.length > 0) throw new Error(`its ${codec} stream is cut off`);
    return Buffer.concat(parts);
  }
}

/** Bytes of a block of a legacy frame, decompressed. */
const LEGACY_BLOCK = 8 << 20;
const LEGACY_MAGIC = 0x184c2102;

/**
 * A legacy frame of LZ4, as `lz4 -l` writes it for kernels: blocks of 8 MiB, each behind its size
 * (lz4_Frame_format.md of LZ4, "Legacy frame").
 *
 * @throws Error that says what is wrong with it
 */
export function decodedLz4(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 4;
  while (at + 4 <= bytes.length) {
    const size = bytes.readUInt32LE(at);
    // Another frame may follow; a size that reaches past the end is none: the kernel puts its own there.
    if (size === LEGACY_MAGIC) {
      at += 4;
      continue;
    }
    if (size === 0 || at + 4 + size > bytes.length) break;
    const part = lz4Block(bytes.subarray(at + 4, at + 4 + size));
    parts.push(part);
    at += 4 + size;
    if (part.length < LEGACY_BLOCK) break;
  }
  return Buffer.concat(parts);
}

/** A block of LZ4: lz4_Block_format.md. */
function lz4Block(input: Buffer): Buffer {
  const output = Buffer.allocUnsafe(LEGACY_BLOCK);
  let from = 0;
  let to = 0;
  const damaged = () => new Error(`its lz4 block is damaged at byte ${from}`);
  const lengthOf = (nibble: number) => {
    let length = nibble;
    for (let more = nibble === 15 ? 255 : 0; more === 255; length += more) {
      more = input[from++] ?? 0;
    }
    return length;
  };
  while (from < input.length) {
    const token = input[from++] ?? 0;
    const literals = lengthOf(token >> 4);
    if (from + literals > input.length || to + literals > LEGACY_BLOCK) throw damaged();
    input.copy(output, to, from, from + literals);
    from += literals;
    to += literals;
    if (from === input.length) break; // the last sequence has no match
    if (from + 2 > input.length) throw damaged();
    const distance = input.readUInt16LE(from);
    from += 2;
    const length = lengthOf(token & 15) + 4;
    if (distance === 0 || distance > to || to + length > LEGACY_BLOCK) throw damaged();
    if (distance >= length) output.copy(output, to, to - distance, to - distance + length);
    else for (let i = 0; i < length; i++) output[to + i] = output[to + i - distance] ?? 0;
    to += length;
  }
  return output.subarray(0, to);
}
