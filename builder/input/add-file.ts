/** A file that the user names, opened for reading. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import * as errors from "../errors.ts";
import { isLink } from "../host/paths.ts";

/**
 * Opens a file and hands it with its size (bytes) to `use`; closes it when that is done.
 *
 * @throws E_INPUT_MISSING, E_FILE_UNREADABLE, also for a folder
 */
export async function withFile<T>(
  file: string,
  use: (handle: FileHandle, size: number) => T | Promise<T>,
): Promise<T> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: unknown) => {
      if (errors.errnoCode(cause) === "ENOENT")
        throw errors.inputMissing(file, cause, isLink(file));
      throw errors.fileUnreadable(file, cause);
    },
  );
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) {
      throw errors.fileUnreadable(file, Object.assign(new Error(), { code: "EISDIR" }));
    }
    // A fifo that nobody writes to would be waited for.
    if (stats.isFIFO()) throw errors.fileUnreadable(file, new Error("it is a fifo"));
    return await use(handle, stats.size);
  } finally {
    await handle.close();
  }
}
