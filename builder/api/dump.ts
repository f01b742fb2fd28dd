/**
 * A canonical listing of a tree: the same records for an image and for the directory that it was
 * made from, or is mounted or extracted at. Sorted by path, byte by byte.
 */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { checkOptions } from "../config/validate.ts";
import { directoryEntries } from "../dump/dump-directory.ts";
import { type DumpEntry, types } from "../dump/dump-entry.ts";
import { imageEntries } from "../dump/dump-image.ts";
import { withImage } from "./inspect.ts";

/** What is listed, and which columns it has. */
export interface DumpOptions {
  /** Bundle, AppImage, other ELF with a squashfs image, squashfs image, or a directory. */
  input: string;
  /** User and group of each file. Default true. */
  owners?: boolean;
  /** Time of the last change of each file. Default true. */
  times?: boolean;
  /** Block and character devices. Default true. */
  devices?: boolean;
  /** SHA-256 of each file's contents. Default true. */
  digests?: boolean;
  /** Extended attributes: all, those that any user may see, or none. Default "all". */
  xattrs?: "all" | "user" | "none";
}

/**
 * One name. Texts are escaped: each byte that is not printable ASCII, a space and a backslash too, is
 * \xNN.
 */
export interface DumpRecord {
  /** Starts with a slash, which alone is the root. */
  path: string;
  /** What kind of file it is. */
  type: "dir" | "file" | "link" | "block" | "char" | "fifo" | "socket";
  /** Octal, 4 digits. */
  mode: string;
  /** User that owns it. */
  uid?: number;
  /** Group that owns it. */
  gid?: number;
  /** Of a file, bytes. */
  size?: number;
  /** Seconds since 1970. */
  mtime?: number;
  /** Of a symbolic link. */
  target?: string;
  /** Of a device, MAJOR:MINOR. */
  device?: string;
  /** Of a file, hexadecimal. */
  sha256?: string;
  /** How many names the inode has, when there is more than one. */
  links?: number;
  /** The first of these names. */
  first?: string;
  /** Extended attributes by their names. */
  xattrs?: Record<string, string>;
}

/**
 * Bytes as text that no other bytes have: printable ASCII is itself, all else, space and backslash
 * too, is \xNN.
 *
 * @internal
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
 * @throws E_OPTION_*, E_INPUT_*, E_FILE_UNREADABLE, E_FILE_CHANGED, E_ELF_*, E_MANIFEST_*, E_IMAGE_*
 *
 * @example
 * ```js
 * import { build, dump } from "fuselage-bundle";
 *
 * await build({ input: "hello", output: "hello.run" });
 * await dump({ input: "hello.run" }, ({ type, path, mode }) => {
 *   if (type === "file") console.log(path, mode);
 * });
 * // /bin/hello 0755
 * // /share/greetings.txt 0644
 * ```
 */
export async function dump(
  options: DumpOptions,
  use: (record: DumpRecord) => void | Promise<void>,
): Promise<void> {
  checkOptions("dump", options);
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
 * One digest of all that a dump says: SHA-256 of its lines, each with its newline. Two trees have the same
 * when nothing that is listed differs, whatever holds them.
 *
 * @returns 64 hexadecimal digits
 * @throws as `dump`
 *
 * @example
 * ```js
 * import { contentDigest, pack } from "fuselage-bundle";
 *
 * await pack({ input: "hello", output: "a.sfs" });
 * await pack({ input: "hello", output: "b.sfs", compression: "gzip", blockSize: 4096 });
 * console.log((await contentDigest({ input: "a.sfs" })) === (await contentDigest({ input: "b.sfs" }))); // true
 * ```
 */
export async function contentDigest(options: DumpOptions): Promise<string> {
  const hash = createHash("sha256");
  await dump(options, (record) => {
    hash.update(`${dumpLine(record)}\n`);
  });
  return hash.digest("hex");
}

/**
 * A record as one line without its newline: path, type, mode, owner, size and time, `-` where there
 * is none, then KEY=VALUE.
 *
 * @example
 * ```js
 * import { dump, dumpLine } from "fuselage-bundle";
 *
 * const columns = { owners: false, times: false, digests: false, xattrs: "none" };
 * await dump({ input: "hello", ...columns }, (record) => {
 *   if (record.path === "/bin") console.log(dumpLine(record)); // /bin dir 0755 - - -
 * });
 * ```
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
