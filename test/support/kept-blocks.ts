/** Files of compressed blocks (native/block_store.h), taken apart and put together. */
import path from "node:path";
import { xxh64 } from "./xxh64.ts";

export interface KeptRow {
  hash: bigint;
  check: bigint;
  offset: bigint;
  sizeWord: number;
  contents: number;
}

const [ROW, TRAILER] = [32, 24];
const CHECK_SEED = 0x9e3779b97f4a7c15n;

/** The check of a block, by its compressed bytes. */
export const checkOf = (bytes: Buffer) => xxh64(bytes, CHECK_SEED);

/** Name of the key that a file belongs to. */
const keyOf = (file: string) => path.basename(file).slice(0, 32);

export function readKept(bytes: Buffer): { blocks: Buffer; rows: KeptRow[] } {
  const count = Number(bytes.readBigUInt64LE(bytes.length - TRAILER));
  const start = bytes.length - TRAILER - count * ROW;
  const rows = Array.from({ length: count }, (_, i) => {
    const row = bytes.subarray(start + i * ROW);
    const [hash, check, offset] = [0, 8, 16].map((at) => row.readBigUInt64LE(at)) as [
      bigint,
      bigint,
      bigint,
    ];
    return { hash, check, offset, sizeWord: row.readUInt32LE(24), contents: row.readUInt32LE(28) };
  });
  return { blocks: bytes.subarray(0, start), rows };
}

/** @param file whose key the checks are for */
export function writeKept(file: string, blocks: Buffer, rows: readonly KeptRow[]): Buffer {
  const table = Buffer.alloc(rows.length * ROW);
  for (const [i, { hash, check, offset, sizeWord, contents }] of rows.entries()) {
    for (const [at, value] of [hash, check, offset].entries())
      table.writeBigUInt64LE(value, i * ROW + at * 8);
    table.writeUInt32LE(sizeWord, i * ROW + 24);
    table.writeUInt32LE(contents, i * ROW + 28);
  }
  const trailer = Buffer.alloc(TRAILER);
  trailer.writeBigUInt64LE(BigInt(rows.length));
  trailer.writeBigUInt64LE(xxh64(table, checkOf(Buffer.from(keyOf(file)))), 8);
  trailer.write("FLSBLKS1", 16, "latin1");
  return Buffer.concat([blocks, table, trailer]);
}
