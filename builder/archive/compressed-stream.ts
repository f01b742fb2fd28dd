/**
 * A stream of bytes → the same compressed, by the codecs of the addon: those of Node differ from version to
 * version, and a digest is of the compressed bytes.
 *
 * The stream is cut into blocks, which are compressed at once and independently: frames of zstd (RFC 8878,
 * 2.: concatenated frames are one stream) or members of gzip (RFC 1952, 2.2: the same of members). Where
 * the cuts are depends on the bytes alone, so neither threads nor the machine change the result.
 */
import { crc32 } from "node:zlib";
import { addon, type Cancellation, cancellable, type NativeCompression } from "../native/addon.ts";

export type StreamCodec = "gzip" | "zstd" | "none";

/** Bytes of each block: what is compressed well alone, and leaves something for every thread. */
const BLOCK: Record<StreamCodec, number> = { gzip: 1 << 20, zstd: 4 << 20, none: 1 << 20 };

const compressions: Record<Exclude<StreamCodec, "none">, NativeCompression> = {
  gzip: { codec: "gzip", level: 6, variants: 0, dictionary: 0, tag: 0, probes: false },
  zstd: { codec: "zstd", level: 12, variants: 0, dictionary: 0, tag: 0, probes: false },
};

/** Blocks that are in memory at once. */
const AT_ONCE = 6;

/** Yields the compressed stream in pieces that stay as they are. */
export async function* compressedStream(
  source: AsyncIterable<Uint8Array>,
  codec: StreamCodec,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const blocks = blocksOf(source, BLOCK[codec]);
  if (codec === "none") {
    yield* blocks;
    return;
  }
  const pending: Promise<Uint8Array[]>[] = [];
  try {
    for await (const block of blocks) {
      const made = cancellable(signal, (cancellation) => encode(block, codec, cancellation));
      made.catch(() => {}); // it is waited for below, or the failure before it is told
      pending.push(made);
      if (pending.length === AT_ONCE) yield* (await pending.shift()) ?? [];
    }
    for (const made of pending.splice(0)) yield* await made;
  } finally {
    await Promise.allSettled(pending);
  }
}

async function* blocksOf(
  source: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array> {
  let block = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + size - filled);
      block.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < size) continue;
      yield block;
      block = Buffer.allocUnsafe(size);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

/** `smallest`: for what is kept; `fast`: for what is read once, by who waits for it. */
export type Effort = "smallest" | "fast";

const levels: Record<Effort, Record<keyof typeof compressions, number>> = {
  smallest: { gzip: 9, zstd: 19 },
  fast: { gzip: 1, zstd: 3 },
};

/** The same of bytes that are to be one frame or member, for readers that know no second one. */
export async function compressedWhole(
  bytes: Uint8Array,
  codec: StreamCodec,
  effort: Effort,
): Promise<Buffer> {
  if (codec === "none") return Buffer.from(bytes);
  const made = await cancellable(undefined, (cancellation) =>
    encode(bytes, codec, cancellation, levels[effort][codec]),
  );
  return Buffer.concat(made);
}

async function encode(
  block: Uint8Array,
  codec: keyof typeof compressions,
  cancellation: Cancellation,
  level = compressions[codec].level,
): Promise<Uint8Array[]> {
  const how = { ...compressions[codec], level };
  const made = await addon().compressBlock(how, block, cancellation);
  if (codec === "gzip") return gzipMember(block, made);
  return made === null ? storedFrame(block) : [made];
}

/** RFC 1952: no name, no time, no system. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/** What stands around deflate's bytes in a zlib stream (RFC 1950). */
const ZLIB_HEAD = 2;
const ZLIB_TAIL = 4;

function gzipMember(block: Uint8Array, zlib: Uint8Array | null): Uint8Array[] {
  const deflated =
    zlib === null ? storedDeflate(block) : [zlib.subarray(ZLIB_HEAD, zlib.length - ZLIB_TAIL)];
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(block), 0);
  trailer.writeUInt32LE(block.length, 4);
  return [GZIP_HEADER, ...deflated, trailer];
}

/** RFC 1951, 3.2.4: what does not shrink stands there as it is, in blocks of at most 65535 bytes. */
function storedDeflate(block: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < block.length; at += 0xffff) {
    const bytes = block.subarray(at, at + 0xffff);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + bytes.length === block.length ? 1 : 0, 0);
    head.writeUInt16LE(bytes.length, 1);
    head.writeUInt16LE(~bytes.length & 0xffff, 3);
    parts.push(head, bytes);
  }
  return parts;
}

/** RFC 8878, 3.1.1: one segment whose size stands in four bytes; raw blocks of at most 128 KiB. */
function storedFrame(block: Uint8Array): Uint8Array[] {
  const header = Buffer.alloc(9);
  header.writeUInt32LE(0xfd2fb528, 0);
  header.writeUInt8(0b1010_0000, 4);
  header.writeUInt32LE(block.length, 5);
  const parts: Uint8Array[] = [header];
  const most = 128 << 10;
  for (let at = 0; at < block.length; at += most) {
    const bytes = block.subarray(at, at + most);
    const isLast = at + bytes.length === block.length ? 1 : 0;
    const head = Buffer.alloc(3);
    head.writeUIntLE((bytes.length << 3) | isLast, 0, 3);
    parts.push(head, bytes);
  }
  return parts;
}
