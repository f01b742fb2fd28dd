/** Looks a symbol of an ELF file in memory up, as the dynamic linker does: by DT_GNU_HASH. */
import { DT, dynamicEntries, fileOffset } from "./dynamic.ts";
import { type ElfFile, PT_DYNAMIC } from "./read.ts";

/** Bytes of an entry of the symbol table. */
const SYMBOL_BYTES = 24;

/** Entries of the dynamic section by their tags. */
export type Entries = ReadonlyMap<number, number>;

export interface FoundSymbol {
  /** Its place in the symbol table. */
  index: number;
  /** Its address before it is moved, and bytes. */
  address: number;
  size: number;
}

/** The dynamic section of a 64-bit file. */
export function dynamicSection(bytes: Buffer, elf: ElfFile): Entries {
  const segment = elf.programs.find(({ type }) => type === PT_DYNAMIC);
  const entries = new Map<number, number>();
  if (segment === undefined) return entries;
  const section = bytes.subarray(segment.offset, segment.offset + segment.fileSize);
  for (const { tag, value } of dynamicEntries(section, 64)) {
    if (tag === DT.NULL) break;
    entries.set(tag, value);
  }
  return entries;
}

/** The bytes of the file from an address on, to the end of its segment; empty where there are none. */
export function bytesAt(bytes: Buffer, elf: ElfFile, address = 0): Buffer {
  const place = fileOffset(elf, address);
  if (place === undefined) return Buffer.alloc(0);
  return bytes.subarray(place.offset, place.offset + place.available);
}

function hashOf(name: string): number {
  let hash = 5381;
  for (const byte of Buffer.from(name)) hash = (Math.imul(hash, 33) + byte) >>> 0;
  return hash;
}

/** @returns undefined when it is not there, or the tables cannot be followed */
export function findSymbol(
  bytes: Buffer,
  elf: ElfFile,
  entries: Entries,
  name: string,
): FoundSymbol | undefined {
  const table = bytesAt(bytes, elf, entries.get(DT.GNU_HASH));
  const symbols = bytesAt(bytes, elf, entries.get(DT.SYMTAB));
  const strings = bytesAt(bytes, elf, entries.get(DT.STRTAB));
  if (table.length < 16) return undefined;
  const [buckets, first, words] = [0, 4, 8].map((at) => table.readUInt32LE(at));
  if (buckets === undefined || first === undefined || words === undefined) return undefined;
  const bucketsAt = 16 + words * 8;
  const chainsAt = bucketsAt + buckets * 4;
  if (buckets === 0 || chainsAt > table.length) return undefined;
  const hash = hashOf(name);
  let index = table.readUInt32LE(bucketsAt + (hash % buckets) * 4);
  if (index < first) return undefined;
  for (; ; index++) {
    const at = chainsAt + (index - first) * 4;
    const symbol = symbols.subarray(index * SYMBOL_BYTES, (index + 1) * SYMBOL_BYTES);
    if (at + 4 > table.length || symbol.length < SYMBOL_BYTES) return undefined;
    const chained = table.readUInt32LE(at);
    const start = symbol.readUInt32LE(0);
    if ((chained | 1) >>> 0 === (hash | 1) >>> 0 && isText(strings, start, name)) {
      const [address, size] = [symbol.readBigUInt64LE(8), symbol.readBigUInt64LE(16)];
      return { index, address: Number(address), size: Number(size) };
    }
    if ((chained & 1) !== 0) return undefined;
  }
}

function isText(strings: Buffer, start: number, text: string): boolean {
  const wanted = Buffer.from(`${text}\0`);
  return strings.subarray(start, start + wanted.length).equals(wanted);
}
