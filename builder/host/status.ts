/** What is at a path that a file of an app names, which may be anything. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  type Stats,
  statSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/**
 * What a path leads to; undefined where that is nothing, also because it goes on behind a file, is longer than
 * the system takes, holds a NUL, or leads where this user may not look.
 */
export const statusOf = (file: string): Stats | undefined =>
  statusBy(() => statSync(file, { throwIfNoEntry: false }));

/** The same of a link itself. */
export const linkStatusOf = (file: string): Stats | undefined =>
  statusBy(() => lstatSync(file, { throwIfNoEntry: false }));

function statusBy(ask: () => Stats | undefined): Stats | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/**
 * A regular file, open for reading: whoever waits for a fifo hears no signal meanwhile. To be closed by the caller.
 *
 * @throws what the system says
 */
export async function openRegularFile(file: string): Promise<FileHandle> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw new Error("it is no regular file");
    return handle;
  } catch (cause) {
    await handle.close();
    throw cause;
  }
}

/**
 * The bytes of a regular file; a fifo, which nobody may ever write to, is not waited for.
 *
 * @param most bytes that it may have
 * @throws what the system says
 */
export function readRegularFile(file: string, most = Number.POSITIVE_INFINITY): Buffer {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() && !stats.isDirectory()) throw new Error("it is no regular file");
    if (stats.size > most) throw new Error(`it has ${stats.size} bytes, and ${most} are the most`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
