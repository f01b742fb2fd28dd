/** Writing by descriptor and position. */
import { write } from "node:fs";
import { promisify } from "node:util";

const writeOnce = promisify(write) as (
  fd: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesWritten: number }>;

/** Writes all of `bytes` at `position` (bytes). Rejects with the system's error. */
export async function writeAt(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const left = bytes.length - done;
    done += (await writeOnce(fd, bytes, done, left, position + done)).bytesWritten;
  }
}
