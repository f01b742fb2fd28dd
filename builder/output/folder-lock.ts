/**
 * Folders in which commands of ours that run at the same time change what belongs together.
 *
 * The lock (flock(2)) is of the folder itself: it ends with whoever has it, also by SIGKILL, and leaves no file behind.
 */
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import * as errors from "../errors.ts";
import { addon, errnoError } from "../native/addon.ts";

/** For others that have it, which takes them milliseconds, or some commands of the system's; ms. */
const PATIENCE = 60_000;
/** Between two tries, ms. */
const PAUSE = 20;

/** Others that hold it. */
const HELD = new Set(["EAGAIN", "EWOULDBLOCK", "EINTR"]);

/**
 * The folder, open and locked. Where its file system knows no locks it is only open. Whoever closes it gives it back.
 *
 * @throws E_OUTPUT_*
 */
export async function lockedFolder(folder: string): Promise<FileHandle> {
  const failed = (step: string, cause: unknown) => errors.outputFailed(folder, step, cause);
  const handle = await open(folder, "r").catch((cause: unknown) => {
    throw failed("opening the folder", cause);
  });
  const end = Date.now() + PATIENCE;
  for (;;) {
    const errno = addon().tryLock(handle.fd);
    if (errno === 0 || !HELD.has(errors.errnoCode(errnoError(errno)) ?? "")) return handle;
    if (Date.now() > end) {
      await handle.close();
      const what = `waiting for the lock of the folder, which another program has for ${PATIENCE / 1000} s,`;
      throw failed(what, errnoError(errno));
    }
    await setTimeout(PAUSE);
  }
}
