/** What is in an image, without mounting or extracting it. */
import * as errors from "../errors.ts";
import type { SuperblockFacts } from "../native/addon.ts";
import { contentsOf, type ImageEntry } from "../squashfs/image-reader.ts";
import { byteString, displayPath } from "../tree/path.ts";
import { withImage } from "./inspect.ts";

/** One name of an image. Paths and targets are texts; bytes that are no UTF-8 become U+FFFD. */
export interface ReadEntry {
  /** From the root without a slash before it; "" is the root. */
  path: string;
  /** What kind of file it is. */
  kind: EntryKind;
  /** Permission bits. */
  mode: number;
  /** User that owns it. */
  uid: number;
  /** Group that owns it. */
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Equal for the names of one file. */
  inode: number;
  /** How many names the inode has. */
  links: number;
  /** Bytes of a file or of the target of a link, else 0. */
  size: number;
  /** Of a symbolic link. */
  target?: string;
  /** Of a device. */
  device?: { major: number; minor: number };
  /** Extended attributes by their full names. */
  xattrs: Readonly<Record<string, Uint8Array>>;
}

/** What a name of an image stands for. */
export type EntryKind =
  | "file"
  | "directory"
  | "symlink"
  | "character-device"
  | "block-device"
  | "fifo"
  | "socket";

/** An image that is open. */
export interface ReadableImage {
  /** What its superblock says. */
  facts: SuperblockFacts;
  /** Every name, parents first, in byte order. */
  entries: readonly ReadEntry[];
  /** All contents of a file; links are not followed. */
  read(path: string): Promise<Buffer>;
  /** The same in pieces, each of which is valid until the next one is asked for. */
  stream(path: string): AsyncIterable<Uint8Array>;
}

/**
 * Opens the image of a bundle, an AppImage, another ELF file or a squashfs image for as long as `use`
 * takes.
 *
 * @throws E_INPUT_MISSING, E_FILE_UNREADABLE, E_IMAGE_*, E_ELF_*, E_MANIFEST_*
 *
 * @example
 * ```js
 * import { pack, readImage } from "fuselage-bundle";
 *
 * await pack({ input: "hello", output: "hello.sfs" });
 * const paths = await readImage("hello.sfs", ({ entries }) => entries.map(({ path }) => path));
 * console.log(paths.includes("bin/hello")); // true
 * ```
 */
export function readImage<T>(
  file: string,
  use: (image: ReadableImage) => T | Promise<T>,
): Promise<T> {
  return withImage(file, async (_, image) => {
    const entries = await image.list();
    const byPath = new Map(entries.map((entry) => [entry.path, entry]));
    const stream = (path: string) => contentsOf(image, fileOf(byPath, path));
    return use({
      facts: image.facts,
      entries: entries.map(readable),
      stream,
      async read(path) {
        const parts: Buffer[] = [];
        for await (const part of stream(path)) parts.push(Buffer.from(part));
        return Buffer.concat(parts);
      },
    });
  });
}

const text = (bytes: string) => Buffer.from(bytes, "latin1").toString("utf8");

function readable({ path, ref: _, target, xattrs, ...entry }: ImageEntry): ReadEntry {
  return {
    ...entry,
    path: text(path),
    ...(target !== undefined && { target: text(target) }),
    xattrs: Object.fromEntries(xattrs.map(({ name, value }) => [text(name), value])),
  };
}

function fileOf(entries: ReadonlyMap<string, ImageEntry>, wanted: string): ImageEntry {
  const path = byteString(wanted.replace(/^\/+/, ""));
  const entry = entries.get(path);
  if (entry?.kind === "file") return entry;
  const what = entry === undefined ? "the image has nothing of this name" : `it is a ${entry.kind}`;
  throw errors.pathNoFile(displayPath(path), what);
}
