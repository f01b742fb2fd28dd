/** A stream of bytes → the entries of a tar file, each with its contents to be read or left. */
import { Buffer } from "node:buffer";
import type { ByteStream } from "./byte-stream.ts";
import {
  BLOCK,
  isEmptyBlock,
  parseHeader,
  parsePax,
  parseSparseBlock,
  type SparseRange,
  type TarHeader,
  TarProblem,
} from "./tar-header.ts";

/** One member of an archive. Texts are byte strings. */
export interface TarEntry {
  /** As it stands there. */
  name: string;
  kind:
    | "file"
    | "hard-link"
    | "symlink"
    | "character-device"
    | "block-device"
    | "directory"
    | "fifo";
  /** 0..0o7777 */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970, rounded down. */
  mtime: number;
  /** Of the contents, holes included. Bytes. */
  size: number;
  /** Of a link. */
  linkName: string;
  major: number;
  minor: number;
  /** Full names, of `SCHILY.xattr.`. */
  xattrs: { name: string; value: Uint8Array }[];
  /** Where the contents stand in the stream, bytes from its start. */
  offset: number;
  /** Stretches that are not a hole, in order; undefined: all of it. */
  ranges: readonly SparseRange[] | undefined;
  /** What is in them, one after the other. To be read before the next entry is asked for, or not at all. */
  contents(): AsyncGenerator<Uint8Array>;
}

/** Names and pax records are refused beyond this, bytes. */
const RECORDS_MAX = 1 << 20;

/** Ranges of one sparse file. */
const RANGES_MAX = 1 << 18;

/** Contents are handed out in pieces of at most this, bytes. */
const PIECE = 1 << 18;

const kinds: Record<string, TarEntry["kind"]> = {
  "0": "file",
  "\0": "file",
  "7": "file", // contiguous, where that means something
  S: "file", // sparse, of GNU
  "1": "hard-link",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  D: "directory", // GNU's with a listing as its contents
  "6": "fifo",
};

export interface TarReading {
  /**
   * Whether a digest tells that nothing is missing: then the zeros behind the last file may be. umoci leaves
   * them out when it inserts files, and readers written in Go do not mind.
   */
  isWhole?: boolean;
}

/**
 * Yields the entries in their order.
 *
 * @throws TarProblem where the stream ends early, contradicts itself or is no tar file
 */
export async function* tarEntries(
  stream: ByteStream,
  { isWhole = false }: TarReading = {},
): AsyncGenerator<TarEntry> {
  const globals = new Map<string, string>();
  let records = new Map<string, string>();
  let long: { name?: string; linkName?: string } = {};
  for (;;) {
    const block = await stream.read(BLOCK);
    // Some writers leave out the blocks that end an archive.
    if (block.length === 0 && records.size === 0) return;
    if (block.length < BLOCK) throw new TarProblem("it ends in the middle of a header");
    if (isEmptyBlock(block)) return;
    const header = parseHeader(block);
    switch (header.type) {
      case "x":
        records = parsePax(await body(stream, header));
        continue;
      case "g":
        for (const [key, value] of parsePax(await body(stream, header))) globals.set(key, value);
        continue;
      case "L":
        long = { ...long, name: cString(await body(stream, header)) };
        continue;
      case "K":
        long = { ...long, linkName: cString(await body(stream, header)) };
        continue;
      case "V": // the name of the volume
        await skip(stream, header.size);
        continue;
    }
    const said = new Map([...globals, ...records]);
    const stored = yield* entry(stream, { ...header, ...long }, said);
    if (isWhole) await stream.skip(padding(stored));
    else await skip(stream, padding(stored));
    records = new Map();
    long = {};
  }
}

/** @returns the bytes that it has in the archive, behind its header */
async function* entry(
  stream: ByteStream,
  header: TarHeader,
  records: ReadonlyMap<string, string>,
): AsyncGenerator<TarEntry, number> {
  const kind = kindOf(header);
  const said = (key: string) => records.get(key) || undefined;
  const whole = (key: string, value: number) => wholeNumber(key, said(key)) ?? value;
  const name = said("GNU.sparse.name") ?? said("path") ?? header.name;
  const hasContents = kind === "file" || header.type === "D";
  // The size field of links, devices and folders says nothing.
  const stored = hasContents ? whole("size", header.size) : 0;
  let left = stored;
  const take = async (size: number): Promise<Uint8Array> => {
    const part = await stream.some(Math.min(size, left));
    if (part === undefined) throw new TarProblem("it ends in the middle of a file");
    left -= part.length;
    return part;
  };
  const block = async (): Promise<Buffer> => {
    const bytes = left < BLOCK ? Buffer.alloc(0) : await stream.read(BLOCK);
    left -= bytes.length;
    if (bytes.length < BLOCK) throw new TarProblem("the map of a sparse file is cut off");
    return bytes;
  };
  const sparse = kind === "file" ? await sparseOf(stream, header, records, block) : undefined;
  const size = sparse?.size ?? (kind === "file" ? stored : 0);
  if (sparse !== undefined) checkRanges(sparse.ranges, size, left);
  async function* contents(): AsyncGenerator<Uint8Array> {
    while (kind === "file" && left > 0) yield await take(PIECE);
  }
  yield {
    name,
    kind: kind === "file" && header.type !== "S" && name.endsWith("/") ? "directory" : kind,
    mode: header.mode,
    uid: whole("uid", header.uid),
    gid: whole("gid", header.gid),
    mtime: secondsOf(said("mtime")) ?? header.mtime,
    size,
    linkName: said("linkpath") ?? header.linkName,
    major: header.major,
    minor: header.minor,
    xattrs: xattrsOf(records),
    offset: stream.position,
    ranges: sparse?.ranges,
    contents,
  };
  await skip(stream, left);
  return stored;
}

function kindOf({ type }: TarHeader): TarEntry["kind"] {
  const kind = kinds[type];
  if (kind !== undefined) return kind;
  if (type === "M") throw new TarProblem("it is the second part of an archive of several volumes");
  // POSIX: a type that is not known is taken for a file.
  if (/^[A-Z]$/.test(type)) throw new TarProblem(`it has an entry of the type "${type}"`);
  return "file";
}

const padding = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

async function skip(stream: ByteStream, size: number): Promise<void> {
  if ((await stream.skip(size)) < size) throw new TarProblem("it ends in the middle of a file");
}

/** The contents of an entry that says something of the next one. */
async function body(stream: ByteStream, { size }: TarHeader): Promise<Buffer> {
  if (size > RECORDS_MAX)
    throw new TarProblem(`a header says ${size} bytes of a name or of records`);
  const bytes = Buffer.from(await stream.read(size));
  if (bytes.length < size) throw new TarProblem("it ends in the middle of a header");
  await skip(stream, padding(size));
  return bytes;
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
}

function wholeNumber(key: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(value)) {
    throw new TarProblem(`a pax header has the ${key} "${text.replace(/[^ -~]/g, "?")}"`);
  }
  return value;
}

function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^-?[0-9]{1,15}(\.[0-9]*)?$/.test(text))
    throw new TarProblem("a pax header has a time that is none");
  return Math.floor(Number(text));
}

const XATTR = "SCHILY.xattr.";

function xattrsOf(records: ReadonlyMap<string, string>): TarEntry["xattrs"] {
  return [...records]
    .filter(([key]) => key.startsWith(XATTR))
    .map(([key, value]) => ({
      name: key.slice(XATTR.length),
      value: Buffer.from(value, "latin1"),
    }));
}

interface Sparse {
  ranges: SparseRange[];
  size: number;
}

/** Where the data of a sparse file belong, in any of GNU's four ways; undefined: it is none. */
async function sparseOf(
  stream: ByteStream,
  header: TarHeader,
  records: ReadonlyMap<string, string>,
  block: () => Promise<Buffer>,
): Promise<Sparse | undefined> {
  if (header.sparse !== undefined) return oldSparse(stream, header.sparse);
  const size = wholeNumber("GNU.sparse.size", records.get("GNU.sparse.size"));
  const realSize = wholeNumber("GNU.sparse.realsize", records.get("GNU.sparse.realsize"));
  if (records.get("GNU.sparse.major") === "1") {
    return { ranges: await storedMap(block), size: realSize ?? 0 };
  }
  const map = records.get("GNU.sparse.map");
  if (map !== undefined) return { ranges: pairs(map.split(",")), size: size ?? 0 };
  const offsets = records.get("GNU.sparse.offset")?.split(",") ?? [];
  const lengths = records.get("GNU.sparse.numbytes")?.split(",") ?? [];
  if (size === undefined && offsets.length === 0) return undefined;
  const mixed = offsets.flatMap((offset, i) => [offset, lengths[i] ?? ""]);
  return { ranges: pairs(mixed), size: size ?? 0 };
}

/** The map goes on in blocks of its own, which the size does not count. */
async function oldSparse(
  stream: ByteStream,
  { map, realSize, continues }: NonNullable<TarHeader["sparse"]>,
): Promise<Sparse> {
  const ranges = [...map];
  for (let more = continues; more; ) {
    const block = await stream.read(BLOCK);
    if (block.length < BLOCK || ranges.length > RANGES_MAX) {
      throw new TarProblem("the map of a sparse file is cut off, or too long");
    }
    const next = parseSparseBlock(block);
    ranges.push(...next.map);
    more = next.continues;
  }
  return { ranges, size: realSize };
}

/** Format 1.0: decimal numbers with a newline each, the count of ranges first, in front of the contents. */
async function storedMap(block: () => Promise<Buffer>): Promise<SparseRange[]> {
  let text = "";
  const lines: string[] = [];
  for (;;) {
    text += (await block()).toString("latin1");
    const found = text.split("\n");
    text = found.pop() ?? "";
    lines.push(...found);
    const count = lines.length === 0 ? undefined : wholeNumber("count of ranges", lines[0]);
    if (count !== undefined && count > RANGES_MAX) {
      throw new TarProblem(`a sparse file has ${count} ranges`);
    }
    if (count !== undefined && lines.length > count * 2) {
      return pairs(lines.slice(1, 1 + count * 2));
    }
    if (text.length > BLOCK) throw new TarProblem("the map of a sparse file is damaged");
  }
}

function pairs(numbers: readonly string[]): SparseRange[] {
  const ranges: SparseRange[] = [];
  if (numbers.length % 2 !== 0 || numbers.length > RANGES_MAX * 2) {
    throw new TarProblem("the map of a sparse file is damaged");
  }
  for (let i = 0; i < numbers.length; i += 2) {
    const [offset, length] = [numbers[i], numbers[i + 1]].map((one) =>
      wholeNumber("range of a sparse file", one ?? ""),
    );
    ranges.push({ offset: offset ?? 0, length: length ?? 0 });
  }
  return ranges;
}

/** In order, apart, within the file, and as long as what is stored. */
function checkRanges(ranges: readonly SparseRange[], size: number, stored: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of ranges) {
    if (offset < end || offset + length > size) {
      throw new TarProblem("the ranges of a sparse file lie over each other or outside of it");
    }
    end = offset + length;
    sum += length;
  }
  if (sum !== stored)
    throw new TarProblem("a sparse file stores more or less than its ranges hold");
}
