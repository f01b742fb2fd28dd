/** Start lists and the files that hold learned ones: docs/format.md. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { crc32 } from "node:zlib";

export interface Run {
  /** Of an inode. */
  number: number;
  first: number;
  pages: number;
}

export function varint(value: bigint): number[] {
  const out: number[] = [];
  for (; value >= 128n; value >>= 7n) out.push(Number(value & 127n) | 128);
  return [...out, Number(value)];
}

export const zigzag = (value: bigint) => (value < 0n ? -value * 2n - 1n : value * 2n);

export function encodeList(runs: readonly Run[]): Buffer {
  const out = [1];
  let number = 0;
  let behind = 0;
  for (const run of runs) {
    out.push(...varint(zigzag(BigInt(run.number - number))));
    out.push(...varint(zigzag(BigInt(run.first - (run.number === number ? behind : 0)))));
    out.push(...varint(BigInt(run.pages)));
    number = run.number;
    behind = run.first + run.pages;
  }
  return Buffer.from(out);
}

export function decodeList(bytes: Buffer): Run[] {
  const values: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes.subarray(1)) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte >= 128) continue;
    values.push(value);
    value = shift = 0n;
  }
  const unzigzag = (n: bigint) => Number(n & 1n ? -(n >> 1n) - 1n : n >> 1n);
  const runs: Run[] = [];
  for (let i = 0; i + 2 < values.length; i += 3) {
    const last = runs.at(-1) ?? { number: 0, first: 0, pages: 0 };
    const number = last.number + unzigzag(values[i] ?? 0n);
    const from = number === last.number ? last.first + last.pages : 0;
    const pages = Number(values[i + 2]);
    runs.push({ number, first: from + unzigzag(values[i + 1] ?? 0n), pages });
  }
  return runs;
}

export function withHeader(list: Buffer): Buffer {
  const header = Buffer.from("fuselrn1\0\0\0\0\0\0\0\0", "latin1");
  header.writeUInt32LE(list.length, 8);
  header.writeUInt32LE(crc32(list), 12);
  return Buffer.concat([header, list]);
}

const folder = (home: string) => path.join(home, ".fuselage/starts");

/** The one image's file in this home, or undefined. */
export function learnedFile(home: string): string | undefined {
  try {
    const names = readdirSync(folder(home));
    if (names.length > 1) throw new Error(`${names}`);
    return names[0] && path.join(folder(home), names[0]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** What was learned in this home; undefined: nothing, or nothing whole. */
export function learned(home: string): Run[] | undefined {
  const file = learnedFile(home);
  const bytes = file === undefined ? Buffer.alloc(0) : readFileSync(file);
  if (bytes.length < 17) return undefined;
  const list = bytes.subarray(16, 16 + bytes.readUInt32LE(8));
  return withHeader(list).equals(bytes.subarray(0, 16 + list.length))
    ? decodeList(list)
    : undefined;
}

/** Puts bytes in place of what was learned. */
export function teach(home: string, bytes: Buffer): void {
  writeFileSync(learnedFile(home) ?? "", bytes);
}
