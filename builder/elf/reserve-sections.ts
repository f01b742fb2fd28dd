/** Adds sections of zeros to a runtime that does without them until somebody needs them. */
import { keptBytes, type RuntimeElf } from "./put-manifest.ts";
import type { Section } from "./read.ts";

/** Where the numbers stand in the header of a 64-bit ELF file and in a section header, bytes. */
const SHOFF_FIELD = 40;
const SHNUM_FIELD = 60;
const SHSTRNDX_FIELD = 62;
const TYPE_FIELD = 4;
const OFFSET_FIELD = 24;
const SIZE_FIELD = 32;
const ALIGNMENT_FIELD = 48;

const PROGBITS = 1;
const TABLE_ALIGNMENT = 8;

/**
 * The runtime with all of these sections. What it has is left as it is.
 *
 * @param wanted names, and sizes in bytes
 */
export function reserveSections(
  runtime: RuntimeElf,
  wanted: readonly { name: string; bytes: number }[],
): RuntimeElf {
  const { bytes, elf } = runtime;
  const missing = wanted.filter(({ name }) => !elf.sections.some((one) => one.name === name));
  const namesIndex = bytes.readUInt16LE(SHSTRNDX_FIELD);
  const oldNames = elf.sections[namesIndex];
  if (elf.bits !== 64 || missing.length === 0 || oldNames === undefined) return runtime;
  const { offset: oldTable, entryBytes, count } = elf.sectionTable;

  let end = keptBytes(runtime);
  let names = bytes.toString("latin1", oldNames.offset, oldNames.offset + oldNames.size);
  const added = missing.map(({ name, bytes: size }) => {
    const section: Section = { name, type: PROGBITS, offset: end, size };
    const nameOffset = names.length;
    end += size;
    names += `${name}\0`;
    return { section, nameOffset };
  });
  const namesSection = { ...oldNames, offset: end, size: names.length };
  const table = Math.ceil((end + names.length) / TABLE_ALIGNMENT) * TABLE_ALIGNMENT;

  const out = Buffer.alloc(table + entryBytes * (count + added.length));
  bytes.copy(out, 0, 0, keptBytes(runtime));
  out.write(names, end, "latin1");
  bytes.copy(out, table, oldTable, oldTable + entryBytes * count);
  const place = (index: number, { offset, size }: Section) => {
    out.writeBigUInt64LE(BigInt(offset), table + index * entryBytes + OFFSET_FIELD);
    out.writeBigUInt64LE(BigInt(size), table + index * entryBytes + SIZE_FIELD);
  };
  place(namesIndex, namesSection);
  for (const [at, { section, nameOffset }] of added.entries()) {
    const header = table + (count + at) * entryBytes;
    out.writeUInt32LE(nameOffset, header);
    out.writeUInt32LE(section.type, header + TYPE_FIELD);
    out.writeBigUInt64LE(1n, header + ALIGNMENT_FIELD);
    place(count + at, section);
  }
  out.writeBigUInt64LE(BigInt(table), SHOFF_FIELD);
  out.writeUInt16LE(count + added.length, SHNUM_FIELD);

  const sections = [
    ...elf.sections.map((section, index) => (index === namesIndex ? namesSection : section)),
    ...added.map(({ section }) => section),
  ];
  const sectionTable = { offset: table, entryBytes, count: sections.length };
  return { ...runtime, bytes: out, elf: { ...elf, sections, sectionTable, endOffset: out.length } };
}
