/** A file that the user names, opened for reading. */
import { type FileHandle, open } from "node:fs/promises";
import * as errors from "../errors.ts";

/**
 * Opens a file and hands it with its size (bytes) to `use`; closes it when that is done.
 *
 * @throws E_INPUT_MISSING, E_FILE_UNREADABLE, also for a folder
 */
export async function withFile<T>(
  file: string,
  use: (handle: FileHandle, size: number) => T | Promise<T>,
): Promise<T> {
  const handle = await open(file).catch((cause: unknown) => {
    if (errors.errnoCode(cause) === "ENOENT") throw errors.inputMissing(file, cause);
    throw errors.fileUnreadable(file, cause);
  });
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) {
      throw errors.fileUnreadable(file, Object.assign(new Error(), { code: "EISDIR" }));
    }
    return await use(handle, stats.size);
  } finally {
    await handle.close();
  }
}
