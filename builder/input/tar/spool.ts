/** Contents of an archive's entry as a file of its own, holes included. */
import { type FileHandle, open } from "node:fs/promises";
import * as errors from "../../errors.ts";
import type { Contents } from "../../tree/node.ts";
import { byteString } from "../../tree/path.ts";
import type { TarEntry } from "./tar-reader.ts";

/**
 * Writes the contents to a new file.
 *
 * @throws E_OUTPUT_*, and what reading the entry throws
 */
export async function spooled(
  { size, ranges, contents }: Pick<TarEntry, "size" | "ranges" | "contents">,
  file: string,
): Promise<Contents & { from: "disk" }> {
  const failed = (cause: unknown): never => {
    throw errors.outputFailed(file, "writing", cause);
  };
  const handle = await open(file, "wx", 0o600).catch(failed);
  try {
    await handle.truncate(size).catch(failed);
    const places = [...(ranges ?? [{ offset: 0, length: size }])].reverse();
    let place = { offset: 0, length: 0 };
    for await (const part of contents()) {
      for (let rest = part; rest.length > 0; ) {
        while (place.length === 0) {
          place = { ...(places.pop() ?? { offset: size, length: rest.length }) };
        }
        const now = rest.subarray(0, place.length);
        await writeAll(handle, now, place.offset).catch(failed);
        place = { offset: place.offset + now.length, length: place.length - now.length };
        rest = rest.subarray(now.length);
      }
    }
    const { dev, ino, mtimeNs, ctimeNs } = await handle.stat({ bigint: true });
    const identity = { dev, ino, mtimeNs, ctimeNs };
    return { from: "disk", folder: byteString(file), name: "", size, identity };
  } finally {
    await handle.close();
  }
}

/** Writes all bytes at `offset`. @throws what the system says */
export async function writeAll(
  handle: FileHandle,
  bytes: Uint8Array,
  offset: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
