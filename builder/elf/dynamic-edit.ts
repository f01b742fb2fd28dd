/** What is changed in the dynamic section of a copy, whichever way the file makes room for it. */
import { DT, type DynamicFacts, dynamicEntries, fileOffset } from "./dynamic.ts";

export interface DynamicEdit {
  /** Folders between colons, `$ORIGIN` in them is the file's own folder; undefined: as it was. */
  runPath: string | undefined;
  /**
   * Names of needed libraries that are paths, with the last component of each: a library that is asked
   * for by a path is not looked for in any folder. An end of a text needs no text of its own.
   */
  renamed?: ReadonlyMap<string, string> | undefined;
  /** Free entries that it needs at least; default 0. The one that ends it is not free. */
  spareEntries?: number;
}

/** Entries whose value is the name of a library. */
const NAMES: readonly number[] = [DT.NEEDED, DT.FILTER, DT.AUXILIARY];

const ENTRY_BYTES = 16;

/**
 * The dynamic section with DT_RPATH at `name` of the string table. It stays as large as it is when
 * entries can be reused or are free; linkers leave some free ones.
 *
 * @param strings the string table as it was
 */
export function editedSection(
  section: Buffer,
  strings: Buffer,
  { runPath, renamed, spareEntries = 0 }: DynamicEdit,
  name: number,
): Buffer {
  const entries: Buffer[] = [];
  for (const { at, tag, value } of dynamicEntries(section, 64)) {
    if (tag === DT.NULL) break;
    if (runPath !== undefined && (tag === DT.RPATH || tag === DT.RUNPATH)) continue;
    const entry = Buffer.from(section.subarray(at, at + ENTRY_BYTES));
    if (NAMES.includes(tag)) {
      entry.writeBigUInt64LE(BigInt(value + shortened(strings, value, renamed)), 8);
    }
    entries.push(entry);
  }
  if (runPath !== undefined) {
    const added = Buffer.alloc(ENTRY_BYTES);
    added.writeBigUInt64LE(BigInt(DT.RPATH), 0);
    added.writeBigUInt64LE(BigInt(name), 8);
    entries.push(added);
  }
  const table = Buffer.alloc(
    Math.max(section.length, (entries.length + spareEntries + 1) * ENTRY_BYTES),
  );
  Buffer.concat(entries).copy(table);
  return table;
}

/** Versions of symbols are looked for in the library of this name, so it is told there too. */
export function renameVersions(
  out: Buffer,
  { elf, versionTable }: DynamicFacts,
  strings: Buffer,
  { renamed }: DynamicEdit,
): void {
  if (versionTable === undefined || renamed === undefined) return;
  const place = fileOffset(elf, versionTable);
  if (place === undefined) return;
  // `readDynamic` has followed the same chain.
  for (let at = place.offset; at + ENTRY_BYTES <= out.length; ) {
    const name = out.readUInt32LE(at + 4);
    out.writeUInt32LE(name + shortened(strings, name, renamed), at + 4);
    const next = out.readUInt32LE(at + 12);
    if (next === 0) return;
    at += next;
  }
}

/** Bytes that the new name of a library lies behind the old one. */
function shortened(
  strings: Buffer,
  start: number,
  renamed: ReadonlyMap<string, string> | undefined,
): number {
  if (renamed === undefined || start >= strings.length) return 0;
  const end = strings.indexOf(0, start);
  const name = strings.toString("utf8", start, end < 0 ? strings.length : end);
  const to = renamed.get(name);
  return to === undefined ? 0 : Buffer.byteLength(name) - Buffer.byteLength(to);
}

export function entryValue(table: Buffer, wanted: number): number {
  for (const { tag, value } of dynamicEntries(table, 64)) if (tag === wanted) return value;
  return 0;
}

export function setEntry(table: Buffer, wanted: number, value: number): void {
  for (const { at, tag } of dynamicEntries(table, 64)) {
    if (tag === wanted) table.writeBigUInt64LE(BigInt(value), at + 8);
  }
}
