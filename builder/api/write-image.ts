/** A squashfs image of entries that a program names, without a folder that holds them. */
import { type ImageChoices, imageOptions } from "../config/image-options.ts";
import { shownValue } from "../config/shown-value.ts";
import { checkImageChoices, checkOptions } from "../config/validate.ts";
import * as errors from "../errors.ts";
import { diskContents } from "../input/add-input.ts";
import { resolveOutput, writeAtomically } from "../output/atomic.ts";
import { defaultMtime, type ImageFacts } from "../squashfs/squashfs-options.ts";
import { writeSquashfs } from "../squashfs/writer.ts";
import {
  type Attributes,
  directoryNode,
  fileNode,
  type Node,
  symlinkNode,
  type Xattr,
} from "../tree/node.ts";
import { byteString, splitPath } from "../tree/path.ts";
import { Tree } from "../tree/tree.ts";
import { checkImageSource, kindOf, wrongEntry } from "./check-image-source.ts";
import type { EntryKind } from "./read-image.ts";

/** One name of an image that is to be written. Texts are stored as UTF-8. */
export interface ImageSource {
  /** From the root, with or without a slash before it; "/" is the root itself. */
  path: string;
  /** Default: "directory" for a path that ends in a slash, else "file". */
  kind?: EntryKind | "hard-link" | undefined;
  /** Permission bits, 0..0o7777. Default: 0o755 of a directory, 0o777 of a link, else 0o644. */
  mode?: number | undefined;
  /** User that owns it. Default 0. */
  uid?: number | undefined;
  /** Group that owns it. Default 0. */
  gid?: number | undefined;
  /** Seconds since 1970. Default: SOURCE_DATE_EPOCH, else 1980-01-01. */
  mtime?: number | undefined;
  /** Of a file. Default: nothing, or what `file` holds. */
  contents?: string | Uint8Array | undefined;
  /** File on disk with the contents; it must not change until the image is written. */
  file?: string | undefined;
  /** Of a symbolic link; of a hard link the path of an earlier entry. */
  target?: string | undefined;
  /** Of a device: major 0..4095, minor 0..1048575. */
  device?: { major: number; minor: number } | undefined;
  /** Extended attributes by their full names, as `user.origin`. */
  xattrs?: Readonly<Record<string, string | Uint8Array>> | undefined;
}

/** What writing an image takes besides its entries. */
export interface WriteImageOptions
  extends Pick<
    ImageChoices,
    "compression" | "level" | "variants" | "blockSize" | "threads" | "onProgress" | "signal"
  > {
  /** File to write; replaced in one step when the image is complete. */
  output: string;
}

/**
 * Writes a squashfs 4.0 image. Directories that are missing are made, with mode 0755. The same entries and
 * options give the same bytes.
 *
 * @throws E_OPTION_*, E_PATH_INVALID, E_FILE_*, E_OUTPUT_*, E_IMAGE_LIMIT
 *
 * @example
 * ```js
 * import { readImage, writeImage } from "fuselage-bundle";
 *
 * const { files } = await writeImage(
 *   [
 *     { path: "etc/motd", contents: "Hello\n" },
 *     { path: "dev/null", kind: "character-device", device: { major: 1, minor: 3 }, mode: 0o666 },
 *     { path: "bin/sh", kind: "symlink", target: "busybox" },
 *   ],
 *   { output: "root.sfs" },
 * );
 * await readImage("root.sfs", async ({ read }) => console.log(files, `${await read("etc/motd")}`.trim()));
 * // 1 Hello
 * ```
 */
export async function writeImage(
  entries: Iterable<ImageSource> | AsyncIterable<ImageSource>,
  options: WriteImageOptions,
): Promise<ImageFacts> {
  const { output: wanted, ...choices } = options;
  if (!wanted) throw errors.optionMissing("output", "the file to write");
  checkOptions("pack", { ...choices, output: wanted }, ["onProgress", "signal"]);
  checkImageChoices(choices);
  const tree = new Tree({ mtime: defaultMtime() });
  if (!isIterable(entries)) {
    throw errors.optionValue("entries", "something to iterate over", typeof entries);
  }
  const output = await resolveOutput(wanted);
  for await (const entry of entries) {
    options.signal?.throwIfAborted();
    await add(tree, entry);
  }
  // What an entry says counts.
  const image = imageOptions({ ...choices, keepMtimes: true, keepOwners: true });
  return writeAtomically(output, 0o666, ({ fd }) => writeSquashfs(tree, { fd }, image), wanted);
}

const isIterable = (entries: unknown) =>
  typeof entries === "object" &&
  entries !== null &&
  (Symbol.iterator in entries || Symbol.asyncIterator in entries);

async function add(tree: Tree, entry: ImageSource): Promise<void> {
  checkImageSource(entry);
  const path = byteString(entry.path.replace(/^\/+|\/+$/g, ""));
  if (splitPath(path).length === 0) {
    Object.assign(tree.root, attributesOf(entry, tree.root.mode));
    return;
  }
  makeParents(tree, path);
  tree.add(path, await nodeOf(tree, entry));
}

/** With the time that all files get which say none. */
function makeParents(tree: Tree, path: string): void {
  const names = splitPath(path).slice(0, -1);
  for (let i = 1; i <= names.length; i++) {
    const parent = names.slice(0, i).join("/");
    if (tree.get(parent) === undefined) tree.add(parent, directoryNode({ mtime: defaultMtime() }));
  }
}

async function nodeOf(tree: Tree, entry: ImageSource): Promise<Node> {
  const kind = kindOf(entry);
  const wrong = (what: string) => wrongEntry(entry, what);
  switch (kind) {
    case "directory":
      return directoryNode(attributesOf(entry, 0o755));
    case "symlink":
      return symlinkNode(byteString(entry.target ?? ""), attributesOf(entry, 0o777));
    case "hard-link": {
      const node = tree.get(byteString((entry.target ?? "").replace(/^\/+/, "")));
      if (node === undefined || node.kind === "directory") {
        throw wrong("the target of a hard link is an earlier entry that is no directory");
      }
      return node;
    }
    case "file": {
      const contents = entry.contents ?? (entry.file && (await diskContents(entry.file))) ?? "";
      return fileNode(contents, attributesOf(entry, 0o644));
    }
    case "character-device":
    case "block-device": {
      const { major, minor } = entry.device ?? { major: -1, minor: -1 };
      if (!isWithin(major, 4095) || !isWithin(minor, 1048575)) {
        throw wrong("a device has numbers, 0..4095 and 0..1048575");
      }
      return { kind, ...attributesOf(entry, 0o644), major, minor };
    }
    case "fifo":
    case "socket":
      return { kind, ...attributesOf(entry, 0o644) };
    default:
      throw wrong("there is no such kind of entry");
  }
}

const isWithin = (value: number, max: number) =>
  Number.isInteger(value) && value >= 0 && value <= max;

function attributesOf(entry: ImageSource, usual: number): Attributes {
  const { mode = usual, uid = 0, gid = 0, mtime = defaultMtime(), xattrs = {} } = entry;
  const limits = { mode: 0o7777, uid: 0xffffffff, gid: 0xffffffff, mtime: 0xffffffff };
  const given = { mode, uid, gid, mtime };
  for (const [name, max] of Object.entries(limits)) {
    const value = given[name as keyof typeof given];
    if (isWithin(value, max)) continue;
    throw wrongEntry(
      entry,
      `its ${name} is no whole number from 0 to ${max}: ${shownValue(value)}`,
    );
  }
  return {
    ...given,
    xattrs: Object.entries(xattrs).map(([name, value]) => xattrOf(entry, name, value)),
  };
}

function xattrOf(entry: ImageSource, name: string, value: string | Uint8Array): Xattr {
  if (!/^(user|trusted|security)\../s.test(name)) {
    throw wrongEntry(entry, `an image has no extended attribute ${JSON.stringify(name)}`);
  }
  return { name: byteString(name), value: typeof value === "string" ? Buffer.from(value) : value };
}
