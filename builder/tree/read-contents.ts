/** Contents of one file as a stream, with the checks that the native pipeline makes too. */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import * as errors from "../errors.ts";
import { type Change, type Contents, type FileIdentity, type Piece, pathOnDisk } from "./node.ts";
import { bytesOf, displayPath } from "./path.ts";

/** Bytes that are read at once. */
const CHUNK = 1 << 18;

/** Files up to this size are read without giving the event loop a turn. Bytes. */
const SMALL = 1 << 16;

/**
 * Reads contents to their end.
 *
 * @throws E_FILE_UNREADABLE, E_FILE_CHANGED when it is not what was scanned, before or behind
 */
export async function* readContents(contents: Contents): AsyncGenerator<Uint8Array> {
  if (contents.from === "memory") yield contents.bytes;
  else if (contents.from === "disk") yield* readFromDisk(contents, contents.change);
  else if (contents.from === "region") yield* readFromDisk(contents);
  else throw new TypeError("contents of an image that is taken over are not read");
}

// Not through a link, and without waiting: a fifo may stand there by now.
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

type OnDisk = Contents & { from: "disk" | "region" };

async function* readFromDisk(contents: OnDisk, change?: Change): AsyncGenerator<Uint8Array> {
  const { size } = contents;
  const path = pathOnDisk(contents);
  const start = offsetOf(contents);
  if (change !== undefined) {
    yield* changed(contents, change);
    return;
  }
  if (size <= SMALL) {
    yield readSmall(contents);
    return;
  }
  const handle = await open(bytesOf(path), FLAGS).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    check(await handle.stat({ bigint: true }), contents);
    for (let done = 0; done < size; ) {
      // A buffer for each chunk: who reads may keep it.
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, size - done));
      const { bytesRead } = await handle
        .read(chunk, 0, chunk.length, start + done)
        .catch((cause) => {
          throw unreadable(path, cause);
        });
      if (bytesRead === 0) throw errors.fileChanged(displayPath(path), "it became shorter");
      yield chunk.subarray(0, bytesRead);
      done += bytesRead;
    }
    check(await handle.stat({ bigint: true }), contents);
  } finally {
    await handle.close();
  }
}

/** Contents that differ from their file. */
async function* changed(contents: OnDisk, { from, pieces }: Change): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const read of readFromDisk({ ...contents, size: from })) {
    const part = read.subarray(0, contents.size - at);
    yield withPieces(part, at, pieces);
    at += part.length;
    if (at === contents.size) return;
  }
  for (; at < contents.size; at += Math.min(CHUNK, contents.size - at)) {
    yield withPieces(Buffer.alloc(Math.min(CHUNK, contents.size - at)), at, pieces);
  }
}

/** @param part bytes that are at `at` of the whole; written to */
function withPieces(part: Uint8Array, at: number, pieces: readonly Piece[]): Uint8Array {
  for (const { offset, bytes } of pieces) {
    const first = Math.max(at, offset);
    const end = Math.min(at + part.length, offset + bytes.length);
    if (first < end) part.set(bytes.subarray(first - offset, end - offset), first - at);
  }
  return part;
}

/** A whole file in one go: five round trips to the thread pool would take longer than reading it. */
function readSmall(contents: OnDisk): Buffer {
  const { size } = contents;
  const path = pathOnDisk(contents);
  const bytes = Buffer.allocUnsafe(size);
  const start = offsetOf(contents);
  let fd: number | undefined;
  try {
    fd = openSync(bytesOf(path), FLAGS);
    check(fstatSync(fd, { bigint: true }), contents);
    for (let done = 0; done < size; ) {
      const bytesRead = readSync(fd, bytes, done, size - done, start + done);
      if (bytesRead === 0) throw errors.fileChanged(displayPath(path), "it became shorter");
      done += bytesRead;
    }
    check(fstatSync(fd, { bigint: true }), contents);
    return bytes;
  } catch (cause) {
    throw cause instanceof errors.BundleError ? cause : unreadable(path, cause);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function unreadable(path: string, cause: unknown): errors.BundleError {
  const shown = displayPath(path);
  const code = errors.errnoCode(cause) ?? "";
  if (["ENOENT", "ENOTDIR"].includes(code)) return errors.fileChanged(shown, "it disappeared");
  // A link, and a socket.
  if (["ELOOP", "ENXIO"].includes(code)) return errors.fileChanged(shown, "it was replaced");
  return errors.fileUnreadable(shown, cause);
}

function check(now: BigIntStats, contents: OnDisk): void {
  const fileSize = contents.from === "region" ? contents.fileSize : contents.size;
  const what = difference(now, fileSize, contents.identity);
  if (what !== undefined) throw errors.fileChanged(displayPath(pathOnDisk(contents)), what);
}

const offsetOf = (contents: OnDisk) => (contents.from === "region" ? contents.offset : 0);

/** How a file differs from what was scanned, or undefined. @param size bytes that it had */
export function difference(now: BigIntStats, size: number, then: FileIdentity): string | undefined {
  if (now.dev !== then.dev || now.ino !== then.ino) return "it was replaced";
  if (now.size !== BigInt(size)) return "its size changed";
  if (now.mtimeNs !== then.mtimeNs || now.ctimeNs !== then.ctimeNs) return "it was changed";
  return undefined;
}
