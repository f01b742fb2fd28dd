/** An image as base64 text: for a terminal, a mail, a script that holds its own archive. */
import type { FileHandle } from "node:fs/promises";
import { writeAt } from "../output/write-at.ts";

/** Bytes that make a line of 76 characters, the width of MIME (RFC 2045, 6.8). */
const LINE_BYTES = 57;

/** Bytes that are encoded at once. */
const CHUNK = LINE_BYTES * 16384;

/** Holds nothing that changes, so that equal images are equal texts. */
const COMMENT =
  "# made by bundle pack: a squashfs image in base64, for fuselage --static and --dynamic";

/**
 * Writes the first `size` bytes of `image` as text.
 *
 * @param shebang what follows `#!` in a line before the comment
 */
export async function writeBase64(
  image: FileHandle,
  size: number,
  fd: number,
  shebang: string | undefined,
): Promise<void> {
  const head = `${shebang === undefined ? "" : `#!${shebang}\n`}${COMMENT}\n`;
  await writeAt(fd, Buffer.from(head), 0);
  let position = Buffer.byteLength(head);
  const chunk = Buffer.alloc(CHUNK);
  for (let done = 0; done < size; ) {
    const wanted = Math.min(CHUNK, size - done);
    await readFully(image, chunk.subarray(0, wanted), done);
    const text = Buffer.from(encodeLines(chunk.subarray(0, wanted)), "latin1");
    await writeAt(fd, text, position);
    position += text.length;
    done += wanted;
  }
}

/** Fills `bytes` from `position`; the file has them, because we wrote it. */
async function readFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) throw new Error("the temporary image became shorter");
    done += bytesRead;
  }
}

/** Lines of 76 characters, each with its newline; the last may be shorter. */
function encodeLines(bytes: Buffer): string {
  return bytes.toString("base64").replace(/.{1,76}/g, "$&\n");
}
