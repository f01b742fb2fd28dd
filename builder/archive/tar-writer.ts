/**
 * Entries → a tar file: ustar, with pax records where a field is too small (POSIX.1-2001, "pax Interchange
 * Format") and for extended attributes (SCHILY.xattr., as star, GNU tar, libarchive and Go have them).
 *
 * The same entries give the same bytes: no time, name or order is taken from anywhere else.
 */
import { Buffer } from "node:buffer";
import type { DumpEntry } from "../dump/dump-entry.ts";
import * as errors from "../errors.ts";
import { displayPath } from "../tree/path.ts";

const BLOCK = 512;

/** Two blocks of zeros end an archive. */
const END = Buffer.alloc(2 * BLOCK);

const typeFlags: Record<Exclude<DumpEntry["kind"], "socket">, string> = {
  file: "0",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
};

/** Bytes of the fields of a header, each with a NUL or a blank at its end where it is a number. */
const NAME_MAX = 100;
const ID_MAX = 0o7777777;
const SIZE_MAX = 0o77777777777;

/**
 * Yields the archive. A name of an inode that stood before becomes a hard link to it; sockets, which tar
 * does not know, are left out.
 *
 * @param entries in the order in which they are to stand, folders before what is in them; a path of ""
 *   is the root
 * @throws E_PATH_INVALID for an extended attribute that no pax record can name
 */
export async function* tarArchive(entries: Iterable<DumpEntry>): AsyncGenerator<Uint8Array> {
  const names = new Map<unknown, string>();
  for (const entry of entries) {
    if (entry.kind === "socket") continue;
    const first = entry.kind === "directory" ? undefined : names.get(entry.inode);
    yield headerOf(entry, first);
    if (first !== undefined) continue;
    names.set(entry.inode, entry.path);
    if (entry.file !== undefined) yield* contentsOf(entry, entry.file);
  }
  yield END;
}

async function* contentsOf(
  { path }: DumpEntry,
  file: NonNullable<DumpEntry["file"]>,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of file.read()) {
    size += piece.length;
    yield piece;
  }
  if (size !== file.size) {
    throw errors.fileChanged(displayPath(path), `it has ${size} bytes in place of ${file.size}`);
  }
  yield Buffer.alloc(padding(size));
}

const padding = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

/** `first`: the name that a hard link leads to. */
function headerOf(entry: DumpEntry, first: string | undefined): Buffer {
  const { kind, mode, uid, gid, mtime, device = { major: 0, minor: 0 } } = entry;
  const type = first !== undefined ? "1" : typeFlags[kind as keyof typeof typeFlags];
  const name = kind === "directory" ? `${entry.path === "" ? "." : entry.path}/` : entry.path;
  const target = first ?? entry.target ?? "";
  const size = first === undefined ? (entry.file?.size ?? 0) : 0;
  const records = recordsOf(entry, { name, target, size });
  const pax = records.length === 0 ? [] : paxHeader(records);
  const block = header({
    name: records.some(([key]) => key === "path") ? cut(name) : name,
    target: records.some(([key]) => key === "linkpath") ? cut(target) : target,
    mode,
    uid: uid > ID_MAX ? 0 : uid,
    gid: gid > ID_MAX ? 0 : gid,
    size: size > SIZE_MAX ? 0 : size,
    mtime,
    type,
    ...device,
  });
  return Buffer.concat([...pax, block]);
}

/** For readers that do not know pax: something that is no longer than the field, and plain. */
const cut = (name: string) => name.replace(/[^ -~]/g, "_").slice(0, NAME_MAX);

/** A field takes it as it is: no record is needed. Bytes beyond ASCII have no meaning in ustar. */
const fits = (text: string) => text.length <= NAME_MAX && /^[ -~]*$/.test(text);

const isUtf8 = (text: string) =>
  Buffer.from(Buffer.from(text, "latin1").toString("utf8"), "utf8").toString("latin1") === text;

type PaxRecord = [key: string, value: string];

function recordsOf(
  entry: DumpEntry,
  { name, target, size }: { name: string; target: string; size: number },
): PaxRecord[] {
  const records: PaxRecord[] = [];
  // Values are UTF-8, unless this says that they are bytes.
  if (!isUtf8(name) || !isUtf8(target)) records.push(["hdrcharset", "BINARY"]);
  if (!fits(name)) records.push(["path", name]);
  if (!fits(target)) records.push(["linkpath", target]);
  if (entry.uid > ID_MAX) records.push(["uid", `${entry.uid}`]);
  if (entry.gid > ID_MAX) records.push(["gid", `${entry.gid}`]);
  if (size > SIZE_MAX) records.push(["size", `${size}`]);
  const xattrs = [...entry.xattrs].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name: attribute, value } of xattrs) {
    if (attribute.includes("=")) {
      const what = `a tar file cannot hold the extended attribute ${displayPath(attribute)}: its name has an =`;
      throw errors.pathInvalid(displayPath(entry.path), what);
    }
    records.push([`SCHILY.xattr.${attribute}`, Buffer.from(value).toString("latin1")]);
  }
  return records;
}

/** A header of its own type, and the records as its contents. */
function paxHeader(records: readonly PaxRecord[]): Buffer[] {
  const body = Buffer.from(records.map(paxRecord).join(""), "latin1");
  const zero = { mode: 0o644, uid: 0, gid: 0, mtime: 0, major: 0, minor: 0, target: "" };
  return [
    header({ ...zero, name: "pax", size: body.length, type: "x" }),
    body,
    Buffer.alloc(padding(body.length)),
  ];
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function paxRecord([key, value]: PaxRecord): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return `${length}${rest}`;
}

interface Fields {
  name: string;
  target: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  type: string;
  major: number;
  minor: number;
}

function header(fields: Fields): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, offset, "latin1");
  block.write(fields.name, 0, "latin1");
  octal(fields.mode, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  octal(fields.size, 124, 12);
  octal(fields.mtime, 136, 12);
  block.write(fields.type, 156, "latin1");
  block.write(fields.target, 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  octal(fields.major, 329, 8);
  octal(fields.minor, 337, 8);
  // The checksum is the sum of all bytes, with blanks in its own place.
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
