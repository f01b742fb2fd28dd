/** The files of an image layout by their names, in a folder or in a tar archive. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { difference } from "../tree/read-contents.ts";
import { DOCUMENT_LIMIT, type FileState, type Region, requireLimit } from "./store.ts";

export interface Files {
  /** The folder or archive, for messages. */
  readonly shown: string;
  /** Where a file lies; undefined: there is none of this name. */
  region(name: string): Promise<Region | undefined>;
  /** A document as it was at one moment, whoever replaces it meanwhile; undefined: there is none of this name. */
  document(name: string): Promise<Buffer | undefined>;
}

/** A layout in a folder. */
export class FolderFiles implements Files {
  readonly shown: string;

  constructor(folder: string) {
    this.shown = folder;
  }

  /** @throws E_FILE_UNREADABLE, E_FILE_KIND */
  async region(name: string): Promise<Region | undefined> {
    const file = path.join(this.shown, name);
    const size = await sizeOf(file);
    // Links lead to blobs that several layouts share. What is packed from where it lies is no link.
    if (size === undefined) return undefined;
    return { path: await realpath(file).catch(errors.readingFailed(file)), offset: 0, size };
  }

  /** @throws E_FILE_UNREADABLE, E_FILE_KIND, E_OCI_LIMIT */
  async document(name: string): Promise<Buffer | undefined> {
    const file = path.join(this.shown, name);
    const handle = await opened(file);
    if (handle === undefined) return undefined;
    try {
      // A size and the bytes of two openings can be those of two files: an export puts another one in its place.
      const size = await regularSize(handle, file);
      requireLimit({ size }, DOCUMENT_LIMIT, `${this.shown}: ${name}`);
      return await collected(piecesOf(handle, { path: file, offset: 0, size }));
    } finally {
      await handle.close();
    }
  }
}

/** Whether a path leads to a folder. @throws E_INPUT_MISSING, E_FILE_UNREADABLE */
export async function isFolder(folder: string): Promise<boolean> {
  const stats = await stat(folder).catch((cause: unknown) => {
    if (errors.errnoCode(cause) === "ENOENT") throw errors.inputMissing(folder, cause, false);
    throw errors.fileUnreadable(folder, cause);
  });
  return stats.isDirectory();
}

/** Nothing of it is in a tree that options could leave it out of. */
const IMAGE_HINT =
  "An image is read from regular files; `--kind image DIR` packs a folder as root.";

/** Bytes of a regular file; undefined: there is none. Nothing waits for a fifo. */
export async function sizeOf(file: string): Promise<number | undefined> {
  const handle = await opened(file);
  if (handle === undefined) return undefined;
  try {
    return await regularSize(handle, file);
  } finally {
    await handle.close();
  }
}

async function regularSize(handle: FileHandle, file: string): Promise<number> {
  const stats = await handle.stat();
  if (stats.isFile()) return stats.size;
  throw errors.fileKind(file, stats.isDirectory() ? "folder" : "special file", IMAGE_HINT);
}

async function opened(file: string) {
  return open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    if (["ENOENT", "ENOTDIR"].includes(errors.errnoCode(cause) ?? "")) return undefined;
    throw errors.fileUnreadable(file, cause);
  });
}

/** Read at once, bytes. */
const CHUNK = 1 << 20;

/** For messages. */
const nameOf = ({ shown, path }: Region) => shown ?? path;

/**
 * The bytes of a region, in pieces; fewer than it says where the file has become shorter.
 *
 * @throws E_FILE_UNREADABLE, E_FILE_CHANGED
 */
export const bytesOfRegion = (region: Region): AsyncGenerator<Buffer> =>
  new RegionBytes(region)[Symbol.asyncIterator]();

/** As `bytesOfRegion`, for who reads the region again: by its path another file may be there then. */
export class RegionBytes implements AsyncIterable<Buffer> {
  readonly #region: Region;
  #state: FileState | undefined;

  constructor(region: Region) {
    this.#region = region;
  }

  /** The region of the very file that was read, as it was before the first byte. */
  get read(): Region & { readonly state: FileState } {
    if (this.#state === undefined) throw new Error("nothing of the region was read");
    return { ...this.#region, state: this.#state };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    const handle = await openRegion(this.#region);
    try {
      this.#state = await stateOf(handle, nameOf(this.#region));
      yield* piecesOf(handle, this.#region);
      await requireState(handle, this.#region);
    } finally {
      await handle.close();
    }
  }
}

/**
 * The file of a region, open for reading. To be closed by the caller.
 *
 * @throws E_FILE_UNREADABLE; E_FILE_CHANGED where it is not what it was
 */
export async function openRegion(region: Region): Promise<FileHandle> {
  const handle = await open(region.path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: unknown) => {
      throw errors.fileUnreadable(nameOf(region), cause);
    },
  );
  try {
    await requireState(handle, region);
    return handle;
  } catch (cause) {
    await handle.close();
    throw cause;
  }
}

/** @throws E_FILE_CHANGED where the file that is open is not what it was */
export async function requireState(handle: FileHandle, region: Region): Promise<void> {
  const { state } = region;
  if (state === undefined) return;
  const shown = nameOf(region);
  const now = await handle.stat({ bigint: true }).catch(errors.readingFailed(shown));
  const what = difference(now, state.size, state.identity);
  if (what !== undefined) throw errors.fileChanged(shown, what);
}

/** What a file that is open is known again by. @throws E_FILE_UNREADABLE */
export async function stateOf(handle: FileHandle, shown: string): Promise<FileState> {
  const stats = await handle.stat({ bigint: true }).catch(errors.readingFailed(shown));
  const { size, dev, ino, mtimeNs, ctimeNs } = stats;
  return { size: Number(size), identity: { dev, ino, mtimeNs, ctimeNs } };
}

async function* piecesOf(handle: FileHandle, region: Region): AsyncGenerator<Buffer> {
  for (let done = 0; done < region.size; ) {
    const size = Math.min(CHUNK, region.size - done);
    const chunk = Buffer.allocUnsafe(size);
    const { bytesRead } = await handle
      .read(chunk, 0, size, region.offset + done)
      .catch((cause: unknown) => {
        throw errors.fileUnreadable(nameOf(region), cause);
      });
    if (bytesRead === 0) return;
    done += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

/** All bytes of a small region. */
export const readRegion = (region: Region): Promise<Buffer> => collected(bytesOfRegion(region));

async function collected(pieces: AsyncGenerator<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of pieces) parts.push(part);
  return Buffer.concat(parts);
}

/** `sha256:HEX` of a region. */
export async function digestOfRegion(region: Region): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of bytesOfRegion(region)) hash.update(piece);
  return `sha256:${hash.digest("hex")}`;
}
