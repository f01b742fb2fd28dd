/** Files that are read from front to back, and standard input in the place of one. */
import { createReadStream } from "node:fs";
import { readingFailed } from "../errors.ts";

/** How an input is called that is standard input. */
export const STDIN = "-";

/** What messages call an input. */
export const shownInput = (file: string): string => (file === STDIN ? "standard input" : file);

/** Read at once, bytes. */
const CHUNK = 1 << 20;

/**
 * The bytes of a file or of standard input, in pieces.
 *
 * @param shown how messages call it
 * @throws E_FILE_UNREADABLE
 */
export async function* bytesOfInput(
  file: string,
  shown = shownInput(file),
): AsyncGenerator<Buffer> {
  const source = file === STDIN ? process.stdin : createReadStream(file, { highWaterMark: CHUNK });
  try {
    yield* source as AsyncIterable<Buffer>;
  } catch (thrown) {
    readingFailed(shown)(thrown);
  }
}
