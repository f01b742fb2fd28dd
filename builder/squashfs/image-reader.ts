// Images that come from anyone, read by the C reader that the runtime has too.

import * as errors from "../errors.ts";
import { extractCounts, extractKinds, squashfsFormat } from "../generated/spec.ts";
import {
  addon,
  type Cancellation,
  cancellable,
  fromNative,
  type NativeEntry,
  type NativeImage,
  type NativeImageFailure,
  type SuperblockFacts,
  withCode,
} from "../native/addon.ts";
import type { Node, Xattr } from "../tree/node.ts";
import { byteString, displayPath } from "../tree/path.ts";

export interface ImageEntry {
  /** From the root, "" is the root. Byte string. */
  path: string;
  kind: Node["kind"];
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Of the inode, for `read`. */
  ref: number;
  /** Inode number: equal for the names of one file. */
  inode: number;
  links: number;
  /** Bytes of a file or of the target of a link, else 0. */
  size: number;
  /** Of a symbolic link, byte string. */
  target?: string;
  device?: { major: number; minor: number };
  xattrs: readonly Xattr[];
}

/**
 * What an image holds may give rights to those who did not ask for it, or to others. It is left out
 * and counted, for root too, unless it is asked for. Default of all but `xattrs`: false.
 */
interface ExtractOptions {
  /** Keep set-user-ID and set-group-ID bits. Sticky bits of directories stay in any case. */
  setId?: boolean;
  /** Make device nodes; needs root. */
  devices?: boolean;
  /** Give files the owners of the image; needs root. */
  owners?: boolean;
  /** Set extended attributes other than user.* too: file capabilities, labels. */
  privilegedXattrs?: boolean;
  /** Only these and what is in them, byte strings. Default: all. */
  paths?: readonly string[];
  /** Set extended attributes at all, where the file system takes them. Default true. */
  xattrs?: boolean;
  signal?: AbortSignal | undefined;
}

export interface ExtractReport {
  /** Made, the root not counted. */
  entries: number;
  /** Of contents. */
  bytes: number;
  skippedSetId: number;
  skippedDevices: number;
  /** Not counted: files of root that somebody else extracts, as most images have no others. */
  skippedOwners: number;
  skippedPrivilegedXattrs: number;
  /** Attributes that the file system refused. */
  skippedXattrs: number;
}

export interface ImageReader {
  readonly facts: SuperblockFacts;
  /**
   * Every entry, parents first, names in byte order. An image whose tables make more of a list than
   * they hold bytes for is refused, so that a list is no larger than its image makes likely.
   */
  list(signal?: AbortSignal): Promise<ImageEntry[]>;
  /**
   * Fills `bytes` with what a file has at `position`; `entry` is one of `list`.
   *
   * @returns how many; fewer only at its end
   */
  read(entry: ImageEntry, position: number, bytes: Uint8Array): Promise<number>;
  /** Extracts into `directory`, which must exist, be empty, and be nobody else's to write to. */
  extract(directory: string, options?: ExtractOptions): Promise<ExtractReport>;
  close(): void;
}

/**
 * Opens the image at `offset` of an open file; `fd` must stay open until `close`. `shown` is how
 * messages call the file.
 *
 * Throws E_IMAGE_MISSING, E_IMAGE_TRUNCATED, E_IMAGE_UNSUPPORTED or E_IMAGE_CORRUPT; so do `list`
 * and `extract` when they come to a damaged place.
 */
export function openImage(fd: number, offset: number, shown: string): ImageReader {
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (thrown) {
      throw readerError(thrown, shown, offset);
    }
  };
  const rejected = (thrown: unknown): never => {
    throw readerError(thrown, shown, offset);
  };
  const image = guarded(() => addon().openImage(fd, offset));
  const reading = addon().cancellation();
  return {
    facts: image.facts,
    list: (signal) => {
      const next = image.walk();
      return cancellable(signal, (cancellation) => collect(next, cancellation)).catch(rejected);
    },
    read: (entry, position, bytes) =>
      image.read(entry.ref, position, bytes, reading).catch((thrown: unknown) => {
        throw readerError(Object.assign(thrown as object, { path: entry.path }), shown, offset);
      }),
    extract: (directory, options = {}) =>
      extract(image, directory, options).catch((thrown: unknown) => {
        throw extractionError(thrown, directory) ?? readerError(thrown, shown, offset);
      }),
    close: () => image.close(),
  };
}

/** Bytes of contents that are read at once. */
const STRETCH = 1 << 20;

/** The contents of a file, in stretches that are valid until the next one is asked for. */
export async function* contentsOf(
  image: ImageReader,
  entry: ImageEntry,
): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(STRETCH, entry.size));
  for (let position = 0; position < entry.size; ) {
    const length = await image.read(entry, position, buffer);
    if (length === 0) return;
    yield buffer.subarray(0, length);
    position += length;
  }
}

/** Entries that are turned into objects at once: about ten milliseconds of them. */
const PART = 2048;

async function collect(
  next: ReturnType<NativeImage["walk"]>,
  cancellation: Cancellation,
): Promise<ImageEntry[]> {
  const all: ImageEntry[] = [];
  const sets: (readonly Xattr[])[] = [];
  for (;;) {
    const { entries, attributes } = await next(PART, cancellation);
    if (entries.length === 0) return all;
    sets.push(...attributes);
    for (const entry of entries) all.push(entryFrom(entry, sets));
  }
}

async function extract(
  image: NativeImage,
  directory: string,
  options: ExtractOptions,
): Promise<ExtractReport> {
  const { xattrs = true, paths = [], signal } = options;
  const keep = extractKinds.reduce((bits, kind, i) => bits | (options[kind] ? 1 << i : 0), 0);
  const { leftOut, ...made } = await cancellable(signal, (cancellation) =>
    image.extract(byteString(directory), { keep, xattrs, paths }, cancellation),
  );
  const count = (kind: keyof typeof extractCounts) => leftOut[extractCounts[kind]] ?? 0;
  return {
    ...made,
    skippedSetId: count("setId"),
    skippedDevices: count("devices"),
    skippedOwners: count("owners"),
    skippedPrivilegedXattrs: count("privilegedXattrs"),
    skippedXattrs: count("refusedXattrs"),
  };
}

function isImageFailure(thrown: unknown): thrown is NativeImageFailure {
  return thrown instanceof Error && "imageError" in thrown;
}

/** The error for what the destination refused; undefined where the image is at fault. */
function extractionError(thrown: unknown, directory: string): unknown {
  if (!isImageFailure(thrown) || thrown.imageError !== "") return undefined;
  const path = displayPath(thrown.path);
  const cause = withCode(thrown);
  const what = `cannot be extracted: ${errors.systemReason(cause)}`;
  return errors.extractFailed(path === "" ? directory : `${directory}/${path}`, what, cause);
}

function readerError(thrown: unknown, shown: string, offset: number): unknown {
  if (!isImageFailure(thrown)) return fromNative(thrown);
  const { message, fault } = thrown;
  const path = displayPath(thrown.path);
  const details = { ...(fault !== "" && { actual: displayPath(fault) }), cause: thrown };
  switch (thrown.imageError) {
    case "unreadable":
      return errors.fileUnreadable(shown, withCode(thrown));
    case "truncated":
      return errors.imageCut(shown, message, details);
    case "missing":
      return errors.imageMissing(shown, offset, details);
    case "unsupported":
      return errors.imageUnsupported(shown, message, details);
    case "memory":
      return errors.outOfMemory(`to read ${shown}`);
    default:
      return errors.imageCorrupt(shown, path === "" ? message : `${message} (${path})`, details);
  }
}

/** Kinds by the type of their inodes. */
const KINDS = new Map<number, Node["kind"]>(
  Object.entries(squashfsFormat.inodeTypes).map(([kind, type]) => [type, kind as Node["kind"]]),
);

function entryFrom(native: NativeEntry, sets: readonly (readonly Xattr[])[]): ImageEntry {
  const { type, rdev, target, xattrs, ...rest } = native;
  const kind = KINDS.get(type) as Node["kind"];
  const isDevice = kind === "block-device" || kind === "character-device";
  return {
    ...rest,
    kind,
    size: kind === "file" || kind === "symlink" ? native.size : 0,
    xattrs: (xattrs === undefined ? undefined : sets[xattrs]) ?? [],
    ...(kind === "symlink" && { target }),
    ...(isDevice && { device: decodeDeviceNumber(rdev) }),
  };
}

/** The kernel's new_decode_dev. */
function decodeDeviceNumber(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
