/**
 * Files that a user names, from front to back: a file, a pipe of the shell's (`<(...)` is /dev/fd/N), or a fifo,
 * which nobody may ever write to. Opening that would wait for ever, in a thread that no signal ends.
 */
import { constants } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoCode } from "../errors.ts";

/** Opens a fifo too without waiting for who writes to it. */
export const OPEN_NOW = constants.O_RDONLY | constants.O_NONBLOCK;

/** Read at once, bytes. */
const CHUNK = 1 << 20;
/** What somebody has to begin to write to a fifo with a name, ms. */
const PATIENCE = 10_000;
/** Between two looks, ms: the first, and the longest. */
const LOOK = [1, 50] as const;

/** @throws what the system says, and an Error where nobody writes to a fifo */
export async function* bytesOfFile(file: string): AsyncGenerator<Buffer> {
  const handle = await open(file, OPEN_NOW);
  try {
    yield* bytesOfOpen(handle);
  } finally {
    await handle.close();
  }
}

/** The same of one that was opened by `OPEN_NOW`. */
export async function* bytesOfOpen(handle: FileHandle): AsyncGenerator<Buffer> {
  const stats = await handle.stat();
  if (stats.isFile()) yield* bytesOfRegular(handle);
  else yield* bytesAsTheyCome(handle, stats.isFIFO());
}

async function* bytesOfRegular(handle: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(CHUNK), 0, CHUNK, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Of a pipe, a terminal or another device. */
async function* bytesAsTheyCome(handle: FileHandle, isFifo: boolean): AsyncGenerator<Buffer> {
  // A pipe of the shell's has its writer from the start.
  const name = await readlink(`/proc/self/fd/${handle.fd}`);
  let begun = !isFifo || name.startsWith("pipe:");
  const end = performance.now() + PATIENCE;
  let look: number = LOOK[0];
  for (;;) {
    const part = await readNow(handle);
    if (part !== undefined && part.length > 0) {
      [begun, look] = [true, LOOK[0]];
      yield part;
      continue;
    }
    if (part === undefined) begun = true;
    else if (begun) return;
    if (!begun && performance.now() > end) {
      throw new Error(`no program has begun to write to this fifo in ${PATIENCE / 1000} seconds`);
    }
    await sleep(look);
    look = Math.min(2 * look, LOOK[1]);
  }
}

/** What is there; empty: nobody writes; undefined: whoever does has nothing yet. */
async function readNow(handle: FileHandle): Promise<Buffer | undefined> {
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(1 << 16), 0, 1 << 16, null);
    return buffer.subarray(0, bytesRead);
  } catch (thrown) {
    if (errnoCode(thrown) === "EAGAIN") return undefined;
    throw thrown;
  }
}

/** The first of them: a pipe has no size, and a device no end. */
export async function firstOf(bytes: AsyncIterable<Buffer>, most: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let left = most;
  for await (const part of bytes) {
    parts.push(part.subarray(0, left));
    left -= part.length;
    if (left <= 0) break;
  }
  return Buffer.concat(parts);
}
