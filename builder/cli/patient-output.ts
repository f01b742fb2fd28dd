/**
 * Standard output and error of what has to hear signals while nobody reads them. Node writes to a pipe of its own process
 * and waits there until it is taken, with everything else.
 */
import { createWriteStream, fstatSync } from "node:fs";
import type { Writable } from "node:stream";

/**
 * @param stream `process.stdout` or `process.stderr`, which has put the pipe into the mode that waits
 * @returns the same file; a pipe is written to by a thread of its own
 */
export function patientOutput(stream: Writable & { fd: number }): Writable {
  if (!fstatSync(stream.fd).isFIFO()) return stream;
  return createWriteStream("", { fd: stream.fd, autoClose: false });
}
