/**
 * A canonical listing of a tree: the same records for an image and for the directory that it was
 * made from, or is mounted or extracted at. Sorted by path, byte by byte.
 */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { directoryEntries } from "../dump/dump-directory.ts";
import { type DumpEntry, types } from "../dump/dump-entry.ts";
import { imageEntries } from "../dump/dump-image.ts";
import { withImage } from "./inspect.ts";

export interface DumpOptions {
  /** Bundle, AppImage, other ELF with a squashfs image, squashfs image, or a directory. */
  input: string;
  /** What is not the same by every way to a tree may be left out. Default: everything is in. */
  owners?: boolean;
  times?: boolean;
  /** Block and character devices. */
  devices?: boolean;
  digests?: boolean;
  /** Extended attributes: all, those that any user may see, or none. Default "all". */
  xattrs?: "all" | "user" | "none";
}

/** One name. Text is escaped as `escapeBytes` has it. */
export interface DumpRecord {
  /** Starts with a slash, which alone is the root. */
  path: string;
  type: (typeof types)[keyof typeof types];
  /** Octal, 4 digits. */
  mode: string;
  uid?: number;
  gid?: number;
  /** Of a file, bytes. */
  size?: number;
  /** Seconds since 1970. */
  mtime?: number;
  target?: string;
  device?: string;
  /** Of a file, hexadecimal. */
  sha256?: string;
  /** Names of the inode, when there is more than one, and the first of them. */
  links?: number;
  first?: string;
  xattrs?: Record<string, string>;
}

/**
 * Bytes as text that no other bytes have: printable ASCII is itself, all else, space and backslash
 * too, is \xNN.
 */
export function escapeBytes(bytes: string): string {
  return bytes.replace(
    /[^!-[\]-~]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/**
 * Yields a record for each name. Contents are read in stretches; the names are all held at once.
 *
 * @throws E_INPUT_*, E_FILE_UNREADABLE, E_ELF_*, E_MANIFEST_*, E_IMAGE_*
 */
export async function dump(
  options: DumpOptions,
  use: (record: DumpRecord) => void | Promise<void>,
): Promise<void> {
  const isDirectory = await stat(options.input).then(
    (status) => status.isDirectory(),
    () => false, // whoever opens it says why
  );
  if (isDirectory) {
    const entries = await directoryEntries(
      options.input,
      options.xattrs !== undefined && options.xattrs !== "all",
    );
    return records(entries, options, use);
  }
  return withImage(options.input, async (_, image) =>
    records(await imageEntries(image), options, use),
  );
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const isDevice = ({ device }: DumpEntry) => device !== undefined;
const shownPath = ({ path }: DumpEntry) => `/${escapeBytes(path)}`;

async function records(
  all: DumpEntry[],
  options: DumpOptions,
  use: (record: DumpRecord) => void | Promise<void>,
): Promise<void> {
  const { devices = true, digests = true } = options;
  const entries = (devices ? all : all.filter((entry) => !isDevice(entry))).sort((a, b) =>
    order(a.path, b.path),
  );
  const names = namesByInode(entries);
  // The names of one inode have one content.
  const known = new Map<DumpEntry, string>();
  for (const entry of entries) {
    const group = names.get(entry.inode) ?? [entry];
    const [first = entry] = group;
    const record = recordOf(entry, group, options);
    if (entry.file !== undefined && digests) {
      record.sha256 = known.get(first) ?? (await digest(entry.file));
      if (group.length > 1) known.set(first, record.sha256);
    }
    await use(record);
  }
}

function namesByInode(entries: readonly DumpEntry[]): Map<unknown, DumpEntry[]> {
  const names = new Map<unknown, DumpEntry[]>();
  for (const entry of entries) {
    if (entry.kind === "directory") continue;
    const others = names.get(entry.inode);
    if (others === undefined) names.set(entry.inode, [entry]);
    else others.push(entry);
  }
  return names;
}

async function digest(file: NonNullable<DumpEntry["file"]>): Promise<string> {
  const hash = createHash("sha256");
  for await (const stretch of file.read()) hash.update(stretch);
  return hash.digest("hex");
}

function recordOf(
  entry: DumpEntry,
  group: readonly DumpEntry[],
  { owners = true, times = true, xattrs = "all" }: DumpOptions,
): DumpRecord {
  const { kind, mode, uid, gid, mtime, target, device, file } = entry;
  const [first = entry] = group;
  const attributes = entry.xattrs
    .filter(({ name }) => xattrs === "all" || (xattrs === "user" && name.startsWith("user.")))
    .map(({ name, value }) => [name, Buffer.from(value).toString("latin1")] as const)
    .sort(([a], [b]) => order(a, b));
  return {
    path: shownPath(entry),
    type: types[kind],
    mode: mode.toString(8).padStart(4, "0"),
    ...(owners && { uid, gid }),
    ...(file && { size: file.size }),
    ...(times && { mtime }),
    ...(target !== undefined && { target: escapeBytes(target) }),
    ...(device && { device: `${device.major}:${device.minor}` }),
    ...(group.length > 1 && { links: group.length, first: shownPath(first) }),
    ...(attributes.length > 0 && {
      xattrs: Object.fromEntries(attributes.map((pair) => pair.map(escapeBytes))),
    }),
  };
}

/**
 * A record as one line without its newline: path, type, mode, owner, size and time, `-` where there
 * is none, then KEY=VALUE.
 */
export function dumpLine(record: DumpRecord): string {
  const { path, type, mode, uid, gid, size = "-", mtime = "-", xattrs = {}, ...rest } = record;
  const owner = uid === undefined ? "-" : `${uid}:${gid}`;
  const more = [
    ...(["target", "device", "sha256", "links", "first"] as const).flatMap((key) =>
      rest[key] === undefined ? [] : [`${key}=${rest[key]}`],
    ),
    ...Object.entries(xattrs).map(
      ([name, value]) => `xattr.${name.replaceAll("=", "\\x3d")}=${value}`,
    ),
  ];
  return [path, type, mode, owner, size, mtime, ...more].join(" ");
}
