/**
 * Control files of zsync 0.6: checksums of all blocks of a file, by which a client that has an
 * earlier version fetches only what it lacks.
 *
 * For each block there is a rolling checksum, which the client can compute at every offset of its
 * old file, and an MD4, which says whether a match is one. The numbers of bytes that are kept of
 * both follow from the size of the file, as `zsyncmake` has it.
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

const CHUNK = 1 << 20;

/** Bytes of a whole rolling checksum and of a whole MD4. */
const ROLLING_BYTES = 4;
const MD4_BYTES = 16;

export interface ZsyncOptions {
  /** Name of the file for the one who downloads it. */
  name: string;
  /** Where the file is, relative to the control file's own URL. */
  url: string;
  /** Seconds since 1970 that a client gives the file; undefined: the time of its download. */
  mtime?: number | undefined;
}

/** What is kept of the checksums of a block. */
interface Lengths {
  blockSize: number;
  /** Blocks that must match in a row before the client computes an MD4. */
  sequence: number;
  rolling: number;
  strong: number;
}

/**
 * The sizes for a file of `length` bytes: enough that a false match is unlikely in all of it.
 *
 * @internal
 */
export function lengthsFor(length: number): Lengths {
  const blockSize = length < 100_000_000 ? 2048 : 4096;
  const sequence = length > blockSize ? 2 : 1;
  const log2 = Math.log2;
  const rolling = Math.ceil((log2(length) + log2(blockSize) - 8.6) / sequence / 8);
  const blocks = log2(1 + Math.floor(length / blockSize));
  const strong = Math.max(
    Math.ceil((20 + log2(length) + blocks) / sequence / 8),
    Math.floor((7.9 + 20 + blocks) / 8),
  );
  return {
    blockSize,
    sequence,
    rolling: Math.min(ROLLING_BYTES, Math.max(2, rolling)),
    strong: Math.min(MD4_BYTES, strong),
  };
}

/** The sum of the bytes, and the sum of the bytes weighed by their distance to the end. */
function rollingChecksum(block: Uint8Array, out: Buffer): void {
  let sum = 0;
  let weighed = 0;
  for (let i = 0; i < block.length; i++) {
    sum += block[i] as number;
    // Adding up the sums weighs each byte by the number of bytes from it to the end.
    weighed += sum;
  }
  out.writeUInt16BE(sum & 0xffff, 0);
  out.writeUInt16BE(weighed & 0xffff, 2);
}

/**
 * The control file of an open file, which is not empty.
 *
 * @returns its bytes: about 7 for each block of 2048 (4096 from 100 MB)
 */
export async function zsyncOf(handle: FileHandle, options: ZsyncOptions): Promise<Buffer> {
  const { size } = await handle.stat();
  const lengths = lengthsFor(size);
  const { blockSize, rolling, strong } = lengths;
  const blocks = Math.ceil(size / blockSize);
  const sums = Buffer.alloc(blocks * (rolling + strong));
  const whole = createHash("sha1");
  const { createMD4 } = await import("hash-wasm");
  const md4 = await createMD4();
  const weak = Buffer.alloc(ROLLING_BYTES);
  const chunk = Buffer.alloc(CHUNK);
  let at = 0;
  for (let offset = 0; offset < size; ) {
    const filled = await fill(handle, chunk, offset, size);
    whole.update(chunk.subarray(0, filled));
    // The last block is padded with zeros for its checksums.
    chunk.fill(0, filled);
    for (let start = 0; start < filled; start += blockSize) {
      const block = chunk.subarray(start, start + blockSize);
      rollingChecksum(block, weak);
      const digest = md4.init().update(block).digest("binary");
      // Of the rolling checksum its end is kept: that half tells blocks apart better.
      weak.copy(sums, at, ROLLING_BYTES - rolling);
      sums.set(digest.subarray(0, strong), at + rolling);
      at += rolling + strong;
    }
    offset += filled;
  }
  return Buffer.concat([Buffer.from(header(size, lengths, whole.digest("hex"), options)), sums]);
}

function header(length: number, lengths: Lengths, sha1: string, options: ZsyncOptions): string {
  const { blockSize, sequence, rolling, strong } = lengths;
  const { name, url, mtime } = options;
  const lines = [
    "zsync: 0.6.2",
    `Filename: ${name}`,
    ...(mtime === undefined ? [] : [`MTime: ${rfc822(mtime)}`]),
    `Blocksize: ${blockSize}`,
    `Length: ${length}`,
    `Hash-Lengths: ${sequence},${rolling},${strong}`,
    `URL: ${url}`,
    `SHA-1: ${sha1}`,
  ];
  return `${lines.join("\n")}\n\n`;
}

/** `Tue, 01 Jan 1980 00:00:00 +0000` */
function rfc822(seconds: number): string {
  return new Date(seconds * 1000).toUTCString().replace("GMT", "+0000");
}

/** Reads a chunk to its end or the file's. @returns bytes */
async function fill(handle: FileHandle, chunk: Buffer, offset: number, size: number) {
  const wanted = Math.min(chunk.length, size - offset);
  let done = 0;
  while (done < wanted) {
    const { bytesRead } = await handle.read(chunk, done, wanted - done, offset + done);
    if (bytesRead === 0) throw new Error(`the file ends at byte ${offset + done}`);
    done += bytesRead;
  }
  return done;
}
