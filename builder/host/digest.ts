/** Digests of large files. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";

/** Read at once, bytes: a file in one piece costs more for its memory than for its digest. */
const CHUNK = 1 << 20;

/**
 * sha256 of a file, in steps between which others get on with their work.
 *
 * @param before what is hashed in front of the file
 * @param end where it ends, bytes; default: the file's end
 * @throws what the system says when it cannot be read
 */
export async function sha256OfFile(
  file: string,
  { before = "", end = Number.POSITIVE_INFINITY }: { before?: string; end?: number } = {},
): Promise<Buffer> {
  const handle = await open(file);
  try {
    const hash = createHash("sha256").update(before);
    const chunk = Buffer.allocUnsafe(CHUNK);
    for (let at = 0; at < end; ) {
      const { bytesRead } = await handle.read(chunk, 0, Math.min(CHUNK, end - at), at);
      if (bytesRead === 0) break;
      hash.update(chunk.subarray(0, bytesRead));
      at += bytesRead;
    }
    return hash.digest();
  } finally {
    await handle.close();
  }
}
