/**
 * Takes symbols and debug information off an ELF program, for any machine, as `strip` does.
 *
 * What a process maps stays byte for byte at its place: everything up to the end of the last
 * segment or loaded section is kept. Behind it stand only sections that no loader reads; they go,
 * and a new section header table follows. Loaded sections keep their numbers, because symbols of
 * .dynsym name sections by number: a section that goes in front of a kept one becomes empty instead.
 */
import { type ElfFile, readElfBytes, type Section } from "../../elf/read.ts";
import { elfMalformed, elfUnsupported } from "../../errors.ts";

const SHT_NULL = 0;
const SHT_STRTAB = 3;
const SHT_NOBITS = 8;
const SHF_ALLOC = 2n;
const HEADER = 64;
const SECTION = 64;
const PROGRAM = 56;

/** Fields of a section header of the 64-bit class that are written or copied, bytes from its start. */
const field = { name: 0, type: 4, flags: 8, offset: 24, size: 32, link: 40, align: 48 } as const;

/** A section with its header as it stands in the file. */
type Found = Section & { header: Buffer };

/**
 * The stripped program. One without a section header table is returned as it is.
 *
 * @param file name for messages
 * @throws E_ELF_UNSUPPORTED, E_ELF_MALFORMED
 */
export async function stripElf(bytes: Buffer, file: string): Promise<Buffer> {
  const elf = await readElfBytes(bytes, file);
  if (elf.bits !== 64) throw elfUnsupported(file, "this is not a 64-bit ELF file");
  const { offset: table, entryBytes, count } = elf.sectionTable;
  if (count === 0) return bytes;
  if (entryBytes !== SECTION) throw elfMalformed(file, "section headers have an unknown size");
  const sections = elf.sections.map((section, i) => ({
    ...section,
    header: bytes.subarray(table + i * SECTION, table + (i + 1) * SECTION),
  }));
  const end = Math.max(segmentsEnd(elf, file), sectionsEnd(sections.filter(isLoaded)));
  if (end > bytes.length) throw elfMalformed(file, "a section leads out of the file");

  const kept = sections.slice(0, 1 + sections.findLastIndex(isLoaded));
  const { headers, strings } = newTable(kept, end);
  const start = align8(end + strings.length);
  const out = Buffer.alloc(start + headers.length);
  bytes.copy(out, 0, 0, end);
  strings.copy(out, end);
  headers.copy(out, start);
  out.writeBigUInt64LE(BigInt(start), 40);
  out.writeUInt16LE(kept.length + 1, 60);
  out.writeUInt16LE(kept.length, 62);
  return out;
}

const align8 = (offset: number) => Math.ceil(offset / 8) * 8;

function isLoaded({ type, header }: Found): boolean {
  return (header.readBigUInt64LE(field.flags) & SHF_ALLOC) !== 0n && type !== SHT_NULL;
}

/** End of what the program headers name, bytes from the start of the file. */
function segmentsEnd({ programTable, programs }: ElfFile, file: string): number {
  if (programs.length > 0 && programTable.entryBytes !== PROGRAM) {
    throw elfMalformed(file, "program headers have an unknown size");
  }
  const ends = programs.map(({ offset, fileSize }) => offset + fileSize);
  return Math.max(HEADER, programTable.offset + programs.length * PROGRAM, ...ends);
}

function sectionsEnd(sections: readonly Found[]): number {
  const inFile = sections.filter(({ type }) => type !== SHT_NOBITS);
  return Math.max(0, ...inFile.map(({ offset, size }) => offset + size));
}

/** Headers of the kept sections and of the names, which follow at `end`. */
function newTable(kept: readonly Found[], end: number): { headers: Buffer; strings: Buffer } {
  let text = "\0";
  const name = (value: string) => {
    const at = text.length;
    text += `${value}\0`;
    return at;
  };
  const headers = Buffer.alloc((kept.length + 1) * SECTION);
  kept.forEach((section, i) => {
    if (!isLoaded(section)) return;
    section.header.copy(headers, i * SECTION);
    headers.writeUInt32LE(name(section.name), i * SECTION + field.name);
    // The section that it named is gone.
    if (section.header.readUInt32LE(field.link) >= kept.length) {
      headers.writeUInt32LE(0, i * SECTION + field.link);
    }
  });
  const last = headers.subarray(kept.length * SECTION);
  last.writeUInt32LE(name(".shstrtab"), field.name);
  last.writeUInt32LE(SHT_STRTAB, field.type);
  last.writeBigUInt64LE(BigInt(end), field.offset);
  last.writeBigUInt64LE(BigInt(text.length), field.size);
  last.writeBigUInt64LE(1n, field.align);
  return { headers, strings: Buffer.from(text, "latin1") };
}
