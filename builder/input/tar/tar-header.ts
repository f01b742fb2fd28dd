/**
 * One block of 512 bytes that begins an entry of a tar file, and the records that may stand before it.
 *
 * The formats: v7, ustar and pax (POSIX.1-2001, "pax Interchange Format"), and GNU's (its manual, "Basic
 * Tar Format"). Names and values are byte strings: nothing of them is taken for UTF-8.
 */

export const BLOCK = 512;

export interface TarHeader {
  /** As it stands there, byte string. */
  name: string;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes that follow in the stream. */
  size: number;
  /** Seconds since 1970. */
  mtime: number;
  /** One character. */
  type: string;
  /** Of a link, byte string. */
  linkName: string;
  major: number;
  minor: number;
  /** Old GNU's own way to say where the data of a sparse file are. */
  sparse?: { map: SparseRange[]; realSize: number; continues: boolean };
}

/** A stretch of a file that is not zero: its place in the file, and its length. Bytes. */
export interface SparseRange {
  offset: number;
  length: number;
}

/** What is wrong with the archive, in words. */
export class TarProblem extends Error {}

/** True for a block that is nothing but zeros: two of them end an archive. */
export function isEmptyBlock(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** @throws TarProblem where the checksum or a number is wrong */
export function parseHeader(block: Buffer): TarHeader {
  checkSum(block);
  const magic = block.toString("latin1", 257, 265);
  const isPosix = magic.startsWith("ustar\0");
  const isGnu = magic === "ustar  \0";
  const prefix = isPosix ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  const type = block.toString("latin1", 156, 157);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12, true),
    type,
    linkName: text(block, 157, 100),
    major: isPosix || isGnu ? number(block, 329, 8) : 0,
    minor: isPosix || isGnu ? number(block, 337, 8) : 0,
    ...(isGnu && type === "S" && { sparse: gnuSparse(block) }),
  };
}

/** The sum of all bytes with blanks in its own place; some old programs counted signed ones. */
function checkSum(block: Buffer): void {
  const wanted = number(block, 148, 8);
  let unsigned = 8 * 0x20;
  let signed = unsigned;
  for (let i = 0; i < BLOCK; i++) {
    if (i >= 148 && i < 156) continue;
    const byte = block[i] as number;
    unsigned += byte;
    signed += (byte << 24) >> 24;
  }
  if (wanted !== unsigned && wanted !== signed) {
    throw new TarProblem("a header's checksum is wrong");
  }
}

function text(block: Buffer, start: number, size: number): string {
  const field = block.subarray(start, start + size);
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end < 0 ? size : end);
}

/** Octal digits, or with the first bit set a binary number, as GNU and star write large ones. */
function number(block: Buffer, start: number, size: number, mayBeNegative = false): number {
  const first = block[start] as number;
  if (first & 0x80) return binary(block.subarray(start, start + size), mayBeNegative);
  const digits = text(block, start, size).trim();
  if (!/^[0-7]*$/.test(digits)) throw new TarProblem(`a header has the number "${shown(digits)}"`);
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function binary(field: Buffer, mayBeNegative: boolean): number {
  const isNegative = ((field[0] as number) & 0x40) !== 0;
  let value = BigInt((field[0] as number) & 0x3f) - (isNegative ? 0x40n : 0n);
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
  const result = Number(value);
  if (!Number.isSafeInteger(result) || (result < 0 && !mayBeNegative)) {
    throw new TarProblem(`a header has the number ${value}`);
  }
  return result;
}

const shown = (digits: string) => digits.replace(/[^ -~]/g, "?");

function gnuSparse(block: Buffer): NonNullable<TarHeader["sparse"]> {
  return {
    map: sparseRanges(block, 386, 4),
    continues: block[482] !== 0,
    realSize: number(block, 483, 12),
  };
}

/** A block of more ranges of the same file; `continues`: another one follows. */
export function parseSparseBlock(block: Buffer): { map: SparseRange[]; continues: boolean } {
  return { map: sparseRanges(block, 0, 21), continues: block[504] !== 0 };
}

function sparseRanges(block: Buffer, start: number, count: number): SparseRange[] {
  const ranges: SparseRange[] = [];
  for (let at = start; at < start + count * 24; at += 24) {
    if (block[at] === 0) break;
    ranges.push({ offset: number(block, at, 12), length: number(block, at + 12, 12) });
  }
  return ranges;
}

/**
 * Records of a pax header: `LENGTH KEY=VALUE\n` each, the length being that of all of it.
 *
 * @returns values as byte strings, an empty one too: it takes an earlier one away
 * @throws TarProblem
 */
export function parsePax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at);
    const digits = blank < 0 ? "" : bytes.toString("latin1", at, blank);
    const length = /^[0-9]{1,10}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = bytes.indexOf(0x3d, blank);
    const isWhole = end <= bytes.length && equals > blank + 1 && equals < end;
    if (!isWhole || bytes[end - 1] !== 0x0a) throw new TarProblem("a pax header is damaged");
    const key = bytes.toString("latin1", blank + 1, equals);
    const value = bytes.toString("latin1", equals + 1, end - 1);
    // The ranges of GNU's sparse format 0.0 come one by one, under the same two names.
    const before = /^GNU\.sparse\.(offset|numbytes)$/.test(key) ? records.get(key) : undefined;
    records.set(key, before === undefined ? value : `${before},${value}`);
    at = end;
  }
  return records;
}
