/** A file that may be compressed → its bytes. Which way is told by how it begins, as tar does. */
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import * as errors from "../../errors.ts";
import { addon } from "../../native/addon.ts";
import { TarProblem } from "./tar-header.ts";

const magics = [
  { name: "gzip", bytes: [0x1f, 0x8b] },
  { name: "zstd", bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: "bzip2", bytes: [0x42, 0x5a, 0x68] },
  { name: "compress", bytes: [0x1f, 0x9d] },
  { name: "lzip", bytes: [0x4c, 0x5a, 0x49, 0x50] },
] as const;

/** A frame that readers pass over (RFC 8878, 3.1.2) may stand before the first of zstd: 0x184D2A50 and 15 more. */
const isSkippable = ([first = 0, ...more]: Uint8Array) =>
  first >> 4 === 5 && [0x2a, 0x4d, 0x18].every((byte, i) => more[i] === byte);

/** The codec that a file begins as, or undefined: it is not compressed. */
export function codecOf(head: Uint8Array): (typeof magics)[number]["name"] | undefined {
  if (isSkippable(head.subarray(0, 4))) return "zstd";
  return magics.find(({ bytes }) => bytes.every((byte, i) => head[i] === byte))?.name;
}

/** Bytes that are made at once. */
const PIECE = 1 << 18;

/**
 * @param head the first bytes of the file, which are read already
 * @param rest what follows them
 * @param shown how messages call the file
 * @throws TarProblem where it is damaged or cut off, E_ARCHIVE_FORMAT for a codec that we do not have
 */
export async function* decompressed(
  head: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
  shown: string,
): AsyncGenerator<Uint8Array> {
  async function* all() {
    yield head;
    yield* rest;
  }
  const codec = codecOf(head);
  switch (codec) {
    case undefined:
      yield* all();
      return;
    case "gzip":
      yield* gunzipped(all());
      return;
    case "zstd":
    case "xz":
      yield* decoded(codec, all());
      return;
    default:
      throw errors.archiveCodec(shown, codec);
  }
}

async function* gunzipped(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: PIECE });
  pipeline(source, gunzip, () => {}); // A failure of either reaches whoever reads.
  try {
    yield* gunzip;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (!/^Z_/.test(code)) throw cause;
    throw new TarProblem(`its gzip stream is damaged or cut off (${code})`, { cause });
  }
}

async function* decoded(
  codec: "zstd" | "xz",
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const step = addon().createStreamDecoder(codec);
  const none = new Uint8Array(0);
  let atEnd = false;
  function* steps(input: Uint8Array, last: boolean): Generator<Uint8Array> {
    let left = input;
    for (;;) {
      const { output, read, problem, ...state } = step(left, last);
      if (problem !== "") throw new TarProblem(`its ${codec} stream is damaged: ${problem}`);
      atEnd = state.atEnd;
      left = left.subarray(read);
      if (output.length > 0) yield output;
      else if (left.length === 0 || read === 0) return;
    }
  }
  for await (const input of source) yield* steps(input, false);
  yield* steps(none, true);
  if (!atEnd) throw new TarProblem(`its ${codec} stream is cut off`);
}
