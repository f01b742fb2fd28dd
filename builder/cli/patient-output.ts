/**
 * Standard output and error of what has to hear signals while nobody reads them. Node's own stream waits in a write to a
 * full pipe, with everything else.
 */
import { constants, fstatSync, openSync } from "node:fs";
import net from "node:net";
import type { Writable } from "node:stream";

/**
 * @param stream `process.stdout` or `process.stderr`
 * @returns the same pipe, opened once more for a stream that is told when there is room; what cannot be opened again (a
 *   socket, a pipe of another user's) as it is
 */
export function patientOutput(stream: Writable & { fd: number }): Writable {
  if (!fstatSync(stream.fd).isFIFO()) return stream;
  try {
    const fd = openSync(`/proc/self/fd/${stream.fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    return new net.Socket({ fd, readable: false, writable: true });
  } catch {
    return stream;
  }
}
