/**
 * Archives of images as stores: an OCI layout in a tar file, and what `docker save` writes.
 *
 * Blobs are read where they lie in the archive. One that is compressed as a whole is decompressed into
 * the workspace first.
 */
import { open, realpath } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { bytesOfInput } from "../host/standard-input.ts";
import { ByteStream, type Chunks } from "../input/tar/byte-stream.ts";
import { codecOf, decompressed } from "../input/tar/decompress.ts";
import { writeAll } from "../input/tar/spool.ts";
import { TarProblem } from "../input/tar/tar-header.ts";
import { tarEntries } from "../input/tar/tar-reader.ts";
import { byteString } from "../tree/path.ts";
import { type Files, readRegion, sizeOf, stateOf } from "./files.ts";
import { requireRatio } from "./layer-limits.ts";
import { DOCUMENT_LIMIT, type Region, requireLimit } from "./store.ts";

/** Members of an archive of an image. */
const MEMBERS_MAX = 1 << 16;

/** Read at once while headers are looked for, bytes: contents are passed over. */
const LOOK = 4096;

/**
 * The members of an archive by their names, links followed.
 *
 * @param newFile a name in the workspace, for an archive that is compressed
 * @throws E_INPUT_MISSING, E_FILE_UNREADABLE, E_FILE_KIND, E_OCI_INVALID, E_LAYER_LIMIT, E_OUTPUT_*
 */
export async function openArchive(archive: string, newFile: () => string): Promise<Files> {
  const size = await sizeOf(archive);
  if (size === undefined) throw errors.inputMissing(archive, undefined, false);
  const real = await realpath(archive).catch(errors.readingFailed(archive));
  try {
    const head = await headOf(real, archive);
    const file =
      codecOf(head) === undefined ? real : await decompressedCopy(real, archive, newFile());
    return await members(file, archive).catch(errors.readingFailed(archive));
  } catch (thrown) {
    if (!(thrown instanceof TarProblem)) throw thrown;
    throw errors.ociInvalid(archive, `is no whole tar archive: ${thrown.message}`, {
      cause: thrown,
    });
  }
}

async function headOf(file: string, shown: string): Promise<Buffer> {
  const handle = await open(file).catch((cause: unknown) => {
    throw errors.fileUnreadable(shown, cause);
  });
  try {
    const read = handle.read(Buffer.alloc(6), 0, 6, 0);
    const { buffer, bytesRead } = await read.catch(errors.readingFailed(shown));
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function decompressedCopy(file: string, shown: string, copy: string): Promise<string> {
  const handle = await open(copy, "wx", 0o600).catch((cause: unknown) => {
    throw errors.outputFailed(copy, "creating a temporary file", cause);
  });
  let taken = 0;
  async function* counted() {
    for await (const chunk of bytesOfInput(file, shown)) {
      taken += chunk.length;
      yield chunk;
    }
  }
  const stream = new ByteStream(counted());
  try {
    let size = 0;
    const head = await stream.read(6);
    for await (const part of decompressed(head, restOf(stream), shown)) {
      requireRatio(taken, size + part.length, shown);
      await writeAll(handle, part, size).catch((cause: unknown) => {
        throw errors.outputFailed(copy, "writing", cause);
      });
      size += part.length;
    }
    return copy;
  } finally {
    await stream.close();
    await handle.close();
  }
}

async function* restOf(stream: ByteStream): AsyncGenerator<Uint8Array> {
  for (let part = await stream.some(1 << 20); part; part = await stream.some(1 << 20)) yield part;
}

/** The bytes of a file; what is left out is not read. */
class FileChunks implements Chunks {
  readonly #handle: Awaited<ReturnType<typeof open>>;
  readonly #size: number;
  #at = 0;

  constructor(handle: Awaited<ReturnType<typeof open>>, size: number) {
    this.#handle = handle;
    this.#size = size;
  }

  skip(size: number): number {
    const passed = Math.min(size, this.#size - this.#at);
    this.#at += passed;
    return passed;
  }

  async *[Symbol.asyncIterator]() {
    while (this.#at < this.#size) {
      const { buffer, bytesRead } = await this.#handle.read(Buffer.alloc(LOOK), 0, LOOK, this.#at);
      if (bytesRead === 0) return;
      this.#at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
}

async function members(file: string, shown: string): Promise<Files> {
  const regions = new Map<string, Region>();
  const links = new Map<string, string>();
  const handle = await open(file);
  try {
    // Where its members lie says nothing of another archive that takes its place.
    const state = await stateOf(handle, shown);
    const stream = new ByteStream(new FileChunks(handle, state.size));
    for await (const { name, kind, linkName, offset, size, ranges } of tarEntries(stream)) {
      if (regions.size + links.size >= MEMBERS_MAX) {
        throw errors.ociInvalid(shown, `has more than ${MEMBERS_MAX} members`);
      }
      const key = path.posix.normalize(name).replace(/^\/+/, "");
      // As in a folder, the last of a name is the one that is there.
      links.delete(key);
      regions.delete(key);
      if (kind === "file" && ranges === undefined)
        regions.set(key, { path: file, offset, size, state });
      else if (kind === "hard-link") links.set(key, path.posix.normalize(linkName));
      else if (kind === "symlink") {
        links.set(key, path.posix.join(path.posix.dirname(key), linkName));
      }
    }
  } finally {
    await handle.close();
  }
  const region = async (name: string) => {
    let key = byteString(name);
    for (let steps = 0; links.has(key); steps++) {
      if (steps > regions.size + links.size) {
        throw errors.ociInvalid(shown, "has links in a circle");
      }
      key = links.get(key) as string;
    }
    return regions.get(key);
  };
  return {
    shown,
    region,
    async document(name) {
      const found = await region(name);
      if (found === undefined) return undefined;
      requireLimit(found, DOCUMENT_LIMIT, `${shown}: ${name}`);
      return await readRegion(found);
    },
  };
}
