/** An image as a dump sees it, through the reader and without mounting anything. */
import { isPackedXattr } from "../input/add-directory.ts";
import { contentsOf, type ImageEntry, type ImageReader } from "../squashfs/image-reader.ts";
import type { DumpEntry } from "./dump-entry.ts";

/** Every entry of an image, in no order; contents are readable until the image is closed. */
export async function imageEntries(image: ImageReader): Promise<DumpEntry[]> {
  return (await image.list()).map((entry) => entryOf(image, entry));
}

function entryOf(image: ImageReader, entry: ImageEntry): DumpEntry {
  const { path, kind, mode, uid, gid, mtime, target, device, inode, size } = entry;
  return {
    ...{ path, kind, mode, uid, gid, mtime, inode },
    xattrs: entry.xattrs.filter(isPackedXattr),
    ...(target !== undefined && { target }),
    ...(device !== undefined && { device }),
    ...(kind === "file" && { file: { size, read: () => contentsOf(image, entry) } }),
  };
}
