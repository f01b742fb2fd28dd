/**
 * Names that a dynamic ELF file takes from others: its undefined symbols.
 *
 * Nothing says how many symbols there are, unless there is a DT_HASH: else the table ends where the next
 * one begins. Names that cannot be read are left out: they are looked at for what a program may do, not
 * for whether it is whole.
 */
import type { Source } from "./read.ts";

/** Bytes of an entry of a 64-bit file. */
const SYMBOL_BYTES = 24;
/** More than any program has. */
const MAX_SYMBOLS = 1 << 20;

/** A table by its place in the file. */
interface Place {
  offset: number;
  /** Bytes of its segment from there. */
  available: number;
}

export interface SymbolTables {
  symbols: Place;
  hash: Place | undefined;
  /** Bytes from the symbols to the next table in memory. */
  toNext: number;
}

/**
 * @param strings what DT_STRTAB holds
 */
export async function undefinedSymbols(
  handle: Source,
  tables: SymbolTables,
  strings: Buffer,
): Promise<ReadonlySet<string>> {
  const count = await countSymbols(handle, tables);
  const size = Math.min(count, MAX_SYMBOLS) * SYMBOL_BYTES;
  const bytes = await readSome(handle, tables.symbols, size);
  const names = new Set<string>();
  // The first one is no symbol.
  for (let at = SYMBOL_BYTES; at + SYMBOL_BYTES <= bytes.length; at += SYMBOL_BYTES) {
    if (bytes.readUInt16LE(at + 6) !== 0) continue; // st_shndx; 0 is SHN_UNDEF
    const start = bytes.readUInt32LE(at);
    const end = start < strings.length ? strings.indexOf(0, start) : -1;
    if (end > start) names.add(strings.toString("latin1", start, end));
  }
  return names;
}

async function countSymbols(handle: Source, tables: SymbolTables): Promise<number> {
  const { hash, symbols, toNext } = tables;
  if (hash !== undefined) {
    const head = await readSome(handle, hash, 8);
    if (head.length === 8) return head.readUInt32LE(4);
  }
  return Math.floor(Math.min(symbols.available, toNext) / SYMBOL_BYTES);
}

/** What there is, at most `size` bytes. */
async function readSome(handle: Source, place: Place, size: number): Promise<Buffer> {
  const wanted = Math.min(size, place.available);
  const bytes = Buffer.alloc(wanted);
  const { bytesRead } = await handle.read(bytes, 0, wanted, place.offset);
  return bytes.subarray(0, bytesRead);
}
