/** A file that the user names, opened for reading. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import * as errors from "../errors.ts";
import { isLink } from "../host/paths.ts";

/** By what it is that cannot be read. It is asked for by its name, so it cannot be left out. */
const HINTS = {
  folder: "A finished file is read here; `bundle build FOLDER -o OUT` makes one of a folder.",
  fifo: "It is read here and there: write what comes through it to a file first.",
  file: "Check its permissions.",
} as const;

/**
 * Opens a file and hands it with its size (bytes) to `use`; closes it when that is done.
 *
 * @throws E_INPUT_MISSING, E_FILE_UNREADABLE, also for a folder
 */
export async function withFile<T>(
  file: string,
  use: (handle: FileHandle, size: number) => T | Promise<T>,
): Promise<T> {
  const unreadable = (cause: unknown, what: keyof typeof HINTS) =>
    errors.fileUnreadable(file, cause, HINTS[what]);
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: unknown) => {
      if (errors.errnoCode(cause) === "ENOENT")
        throw errors.inputMissing(file, cause, isLink(file));
      throw unreadable(cause, "file");
    },
  );
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) {
      throw unreadable(Object.assign(new Error(), { code: "EISDIR" }), "folder");
    }
    // A fifo that nobody writes to would be waited for.
    if (stats.isFIFO()) throw unreadable(new Error("it is a fifo"), "fifo");
    try {
      return await use(handle, stats.size);
    } catch (cause) {
      // A disk may fail at any read. What is written, or has a name of its own, is another file.
      const { syscall, path } = cause as NodeJS.ErrnoException;
      if (syscall === "read" && path === undefined) throw unreadable(cause, "file");
      throw cause;
    }
  } finally {
    await handle.close();
  }
}
