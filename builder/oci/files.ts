/** The files of an image layout by their names, in a folder or in a tar archive. */
import { constants } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import type { Region } from "./store.ts";

export interface Files {
  /** The folder or archive, for messages. */
  readonly shown: string;
  /** Where a file lies; undefined: there is none of this name. */
  region(name: string): Promise<Region | undefined>;
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
    return size === undefined ? undefined : { path: await realpath(file), offset: 0, size };
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
    const stats = await handle.stat();
    if (!stats.isFile()) {
      const kind = stats.isDirectory() ? "folder" : "special file";
      throw errors.fileKind(file, kind, IMAGE_HINT);
    }
    return stats.size;
  } finally {
    await handle.close();
  }
}

async function opened(file: string) {
  return open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    if (["ENOENT", "ENOTDIR"].includes(errors.errnoCode(cause) ?? "")) return undefined;
    throw errors.fileUnreadable(file, cause);
  });
}

/** Read at once, bytes. */
const CHUNK = 1 << 20;

/**
 * The bytes of a region, in pieces; fewer than it says where the file has become shorter.
 *
 * @throws E_FILE_UNREADABLE
 */
export async function* bytesOfRegion(region: Region): AsyncGenerator<Buffer> {
  const failed = (cause: unknown) => errors.fileUnreadable(region.path, cause);
  const handle = await open(region.path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: unknown) => {
      throw failed(cause);
    },
  );
  try {
    for (let done = 0; done < region.size; ) {
      const size = Math.min(CHUNK, region.size - done);
      const chunk = Buffer.allocUnsafe(size);
      const { bytesRead } = await handle
        .read(chunk, 0, size, region.offset + done)
        .catch((cause: unknown) => {
          throw failed(cause);
        });
      if (bytesRead === 0) return;
      done += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** All bytes of a small region. */
export async function readRegion(region: Region): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of bytesOfRegion(region)) parts.push(part);
  return Buffer.concat(parts);
}
