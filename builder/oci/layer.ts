/**
 * A layer: a tar archive, compressed or not, read once from its first byte to its last.
 *
 * Nothing of it is held in memory but names and attributes. Contents stay where they are: in the layer's
 * own file where that is not compressed, else in a file of the workspace, into which the archive is
 * decompressed. So a build needs as much room there as the compressed layers have uncompressed.
 */
import { open, stat } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { ByteStream } from "../input/tar/byte-stream.ts";
import { codecOf, decompressed } from "../input/tar/decompress.ts";
import type { EntryFacts } from "../input/tar/place-entry.ts";
import { spooled, writeAll } from "../input/tar/spool.ts";
import { TarProblem } from "../input/tar/tar-header.ts";
import { type TarEntry, tarEntries } from "../input/tar/tar-reader.ts";
import type { EarlyFile } from "../squashfs/early-blocks.ts";
import type { Contents, FileIdentity } from "../tree/node.ts";
import { byteString } from "../tree/path.ts";
import type { RegionBytes } from "./files.ts";
import { type LayerLimits, requireRatio } from "./layer-limits.ts";
import { hashOf, requireDigest } from "./store.ts";

export interface LayerEntry extends EntryFacts {
  /** Of a file. */
  body?: Contents;
}

/** What a layer is read from. */
export interface LayerInput {
  /** For messages. */
  shown: string;
  chunks: AsyncIterable<Uint8Array>;
  /** The chunks, where they lie in a file that stays: what is not compressed is read there again. */
  region?: RegionBytes | undefined;
  /** What the bytes must be; undefined: nobody has said. */
  blob?: { digest: string; size: number } | undefined;
  /** What they must be when they are decompressed. */
  diffId?: string | undefined;
}

export interface LayerSurroundings {
  limits: LayerLimits;
  /** Takes contents as they pass; undefined: those of this file are of no use. */
  early?: ((entry: LayerEntry) => EarlyFile | undefined) | undefined;
  /** A new name for a file that stays until the image has been written. */
  newFile(): string;
  signal?: AbortSignal | undefined;
}

/**
 * Reads the entries of a layer and checks every byte of it.
 *
 * @throws E_LAYER_CORRUPT, E_LAYER_LIMIT, E_OCI_DIGEST, E_OCI_SIZE, E_OUTPUT_* for the workspace
 */
export async function readLayer(
  input: LayerInput,
  around: LayerSurroundings,
): Promise<LayerEntry[]> {
  const raw = new Hashed(input.chunks, input.blob?.digest);
  const stored = new ByteStream(raw);
  try {
    const head = await stored.read(6);
    const isPlain = codecOf(head) === undefined;
    const place = isPlain && input.region ? new InPlace(input.region) : new Spool(around.newFile());
    await place.open();
    const inner = decompressed(head, rest(stored), input.shown);
    const tar = new Decompressed(inner, input, raw, place);
    const entries = await readEntries(tar, input, place, around).catch(async (thrown) => {
      // What is not what its digest says needs no better reason to be broken.
      if (thrown instanceof TarProblem) await checkStored(stored, raw, input);
      throw thrown;
    });
    await checkStored(stored, raw, input);
    if (input.diffId !== undefined)
      requireDigest(tar.hash, input.diffId, `${input.shown}, uncompressed`);
    return entries;
  } catch (thrown) {
    if (!(thrown instanceof TarProblem)) throw thrown;
    throw errors.layer(
      "E_LAYER_CORRUPT",
      input.shown,
      `is no whole tar archive: ${thrown.message}`,
      {
        cause: thrown,
      },
    );
  } finally {
    await stored.close();
  }
}

async function* rest(stream: ByteStream): AsyncGenerator<Uint8Array> {
  for (let part = await stream.some(1 << 20); part; part = await stream.some(1 << 20)) yield part;
}

/** Reads what is left, then compares size and digest. */
async function checkStored(stored: ByteStream, raw: Hashed, { blob, shown }: LayerInput) {
  while ((await stored.some(1 << 20)) !== undefined);
  if (blob === undefined) return;
  if (raw.size !== blob.size) throw errors.ociSize(shown, blob.size, raw.size);
  requireDigest(raw.hash, blob.digest, shown);
}

/** Bytes that are counted and hashed as they pass. */
class Hashed implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncIterable<Uint8Array>;
  readonly hash;
  size = 0;

  constructor(chunks: AsyncIterable<Uint8Array>, digest = "sha256:") {
    this.#chunks = chunks;
    this.hash = hashOf(digest);
  }

  async *[Symbol.asyncIterator]() {
    for await (const chunk of this.#chunks) {
      this.size += chunk.length;
      this.hash.update(chunk);
      yield chunk;
    }
  }
}

/** The archive itself: hashed, compared with what it is made of, and put in its place. */
class Decompressed implements AsyncIterable<Uint8Array> {
  readonly hash;
  /** Bytes, and those of holes in the files that were met. */
  made = 0;
  readonly #chunks: AsyncIterable<Uint8Array>;
  readonly #input: LayerInput;
  readonly #raw: Hashed;
  readonly #place: ContentsPlace;

  constructor(
    chunks: AsyncIterable<Uint8Array>,
    input: LayerInput,
    raw: Hashed,
    place: ContentsPlace,
  ) {
    this.#chunks = chunks;
    this.#input = input;
    this.#raw = raw;
    this.#place = place;
    this.hash = hashOf(input.diffId ?? "sha256:");
  }

  count(bytes: number): void {
    this.made += bytes;
    requireRatio(this.#raw.size, this.made, this.#input.shown);
  }

  async *[Symbol.asyncIterator]() {
    for await (const chunk of this.#chunks) {
      this.count(chunk.length);
      this.hash.update(chunk);
      await this.#place.write(chunk);
      yield chunk;
    }
  }
}

async function readEntries(
  tar: Decompressed,
  { shown, diffId }: LayerInput,
  place: ContentsPlace,
  { limits, early, newFile, signal }: LayerSurroundings,
): Promise<LayerEntry[]> {
  const entries: LayerEntry[] = [];
  const bodies: { entry: LayerEntry; offset: number }[] = [];
  const stream = new ByteStream(tar);
  try {
    for await (const one of tarEntries(stream, { isWhole: diffId !== undefined })) {
      signal?.throwIfAborted();
      const entry = factsOf(one);
      limits.take(entry, shown);
      entries.push(entry);
      if (one.ranges !== undefined) {
        tar.count(holesOf(one));
        entry.body = await spooled(one, newFile());
      } else if (one.kind === "file" && one.size > 0) {
        bodies.push({ entry, offset: one.offset });
        const take = early?.(entry);
        if (take !== undefined) for await (const piece of one.contents()) take(piece);
      }
    }
    // What stands behind the end belongs to the digest.
    while ((await stream.some(1 << 20)) !== undefined);
  } finally {
    await stream.close();
    await place.close();
  }
  const at = await place.facts();
  for (const { entry, offset } of bodies) {
    const { path, fileSize, identity } = at;
    entry.body = {
      from: "region",
      path,
      offset: at.offset + offset,
      size: entry.size,
      fileSize,
      identity,
    };
  }
  return entries;
}

const holesOf = ({ size, ranges = [] }: TarEntry) =>
  size - ranges.reduce((sum, { length }) => sum + length, 0);

function factsOf({ contents: _, ranges: __, offset: ___, ...facts }: TarEntry): LayerEntry {
  return facts;
}

/** The file in which the bytes of an archive can be read again. */
interface ContentsPlace {
  /** Before the first byte is read. */
  open(): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  /** Where they lie, and what the file must stay. */
  facts(): Promise<PlaceFacts>;
}

interface PlaceFacts {
  path: string;
  offset: number;
  fileSize: number;
  identity: FileIdentity;
}

class InPlace implements ContentsPlace {
  readonly #bytes: RegionBytes;

  constructor(bytes: RegionBytes) {
    this.#bytes = bytes;
  }

  async open(): Promise<void> {}
  async write(): Promise<void> {}
  async close(): Promise<void> {}

  /** Whoever has written to the file since its first byte was read, or put another one in its place, is noticed. */
  async facts(): Promise<PlaceFacts> {
    const { path, offset, state } = this.#bytes.read;
    return { path: byteString(path), offset, fileSize: state.size, identity: state.identity };
  }
}

/** Bytes of a stretch that is looked at for nothing but zeros. */
const ZEROS = Buffer.alloc(1 << 18);

class Spool implements ContentsPlace {
  readonly #file: string;
  #handle: Awaited<ReturnType<typeof open>> | undefined;
  #size = 0;

  constructor(file: string) {
    this.#file = path.resolve(file);
  }

  async open(): Promise<void> {
    this.#handle = await open(this.#file, "wx", 0o600).catch((cause: unknown) => {
      throw errors.outputFailed(this.#file, "creating a temporary file", cause);
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#handle === undefined) return;
    try {
      const isHole =
        bytes.length <= ZEROS.length &&
        ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
      if (!isHole) await writeAll(this.#handle, bytes, this.#size);
      this.#size += bytes.length;
    } catch (cause) {
      throw errors.outputFailed(this.#file, "writing", cause);
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      await handle?.truncate(this.#size).catch((cause: unknown) => {
        throw errors.outputFailed(this.#file, "writing", cause);
      });
    } finally {
      await handle?.close();
    }
  }

  /** Nobody else has a name for it. */
  async facts(): Promise<PlaceFacts> {
    const file = this.#file;
    const stats = await stat(file, { bigint: true }).catch(errors.readingFailed(file));
    const { dev, ino, mtimeNs, ctimeNs, size } = stats;
    const identity = { dev, ino, mtimeNs, ctimeNs };
    return { path: byteString(file), offset: 0, fileSize: Number(size), identity };
  }
}
