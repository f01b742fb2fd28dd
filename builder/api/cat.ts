/** Contents of files of an image, without mounting or extracting it. */
import { followPath } from "../dump/follow-path.ts";
import * as errors from "../errors.ts";
import { contentsOf } from "../squashfs/image-reader.ts";
import { byteString, displayPath } from "../tree/path.ts";
import { withImage } from "./inspect.ts";

/**
 * Hands out the contents of files of an image one after the other, in stretches that are valid until `use`
 * is done with them. Symbolic links are followed in the image, whose root is theirs. Nothing is handed out
 * where one of the paths leads to no file.
 *
 * @throws E_PATH_INVALID, and what `inspect` throws
 */
export function catFiles(
  file: string,
  paths: readonly string[],
  use: (bytes: Uint8Array) => void | Promise<void>,
): Promise<void> {
  return withImage(file, async (_, image) => {
    const byPath = new Map((await image.list()).map((entry) => [entry.path, entry]));
    const found = paths.map((path) => {
      const entry = followPath(byPath, byteString(path));
      if (entry?.kind === "file") return entry;
      const what =
        entry === undefined ? "the image has nothing of this name" : `it is a ${entry.kind}`;
      throw errors.pathNoFile(displayPath(byteString(path)), what);
    });
    for (const entry of found) for await (const bytes of contentsOf(image, entry)) await use(bytes);
  });
}
