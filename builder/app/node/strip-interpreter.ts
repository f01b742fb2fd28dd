/**
 * Takes symbols and debug information off an ELF program, for any machine, as `strip` does.
 *
 * What a process maps stays byte for byte at its place: everything up to the end of the last
 * segment or loaded section is kept. Behind it stand only sections that no loader reads; they go,
 * and a new section header table follows. Loaded sections keep their numbers, because symbols of
 * .dynsym name sections by number: a section that goes in front of a kept one becomes empty instead.
 */
import { hasElfMagic } from "../../elf/read.ts";
import { elfMalformed, elfUnsupported } from "../../errors.ts";

const SHT_NULL = 0;
const SHT_STRTAB = 3;
const SHT_NOBITS = 8;
const SHF_ALLOC = 2n;
const HEADER = 64;
const SECTION = 64;
const PROGRAM = 56;

/** Fields of a section header of the 64-bit class, bytes from its start. */
const field = { name: 0, type: 4, flags: 8, offset: 24, size: 32, link: 40, align: 48 } as const;

/**
 * The stripped program. One without a section header table is returned as it is.
 *
 * @param file name for messages
 * @throws E_ELF_UNSUPPORTED, E_ELF_MALFORMED
 */
export function stripElf(bytes: Buffer, file: string): Buffer {
  if (bytes.length < HEADER || !hasElfMagic(bytes) || bytes.readUInt16LE(4) !== 0x102) {
    throw elfUnsupported(file, "this is not a 64-bit little-endian ELF file");
  }
  const table = Number(bytes.readBigUInt64LE(40));
  const count = bytes.readUInt16LE(60);
  if (table === 0 || count === 0) return bytes;
  if (bytes.readUInt16LE(58) !== SECTION || table + count * SECTION > bytes.length) {
    throw elfMalformed(file, "the section header table leads out of the file");
  }
  const sections = Array.from({ length: count }, (_, i) =>
    bytes.subarray(table + i * SECTION, table + (i + 1) * SECTION),
  );
  const names = nameReader(bytes, sections[bytes.readUInt16LE(62)], file);
  const loaded = (section: Buffer) =>
    (section.readBigUInt64LE(field.flags) & SHF_ALLOC) !== 0n &&
    section.readUInt32LE(field.type) !== SHT_NULL;
  const end = Math.max(segmentsEnd(bytes, file), sectionsEnd(sections.filter(loaded)));
  if (end > bytes.length) throw elfMalformed(file, "a section leads out of the file");

  const kept = sections.slice(0, 1 + sections.findLastIndex(loaded));
  const { headers, strings } = newTable(kept, loaded, names, end);
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

/** End of what the program headers name, bytes from the start of the file. */
function segmentsEnd(bytes: Buffer, file: string): number {
  const table = Number(bytes.readBigUInt64LE(32));
  const count = bytes.readUInt16LE(56);
  if (count > 0 && (bytes.readUInt16LE(54) !== PROGRAM || table + count * PROGRAM > bytes.length)) {
    throw elfMalformed(file, "the program header table leads out of the file");
  }
  let end = Math.max(HEADER, table + count * PROGRAM);
  for (let at = table; at < table + count * PROGRAM; at += PROGRAM) {
    end = Math.max(end, Number(bytes.readBigUInt64LE(at + 8) + bytes.readBigUInt64LE(at + 32)));
  }
  return end;
}

function sectionsEnd(sections: readonly Buffer[]): number {
  let end = 0;
  for (const section of sections) {
    if (section.readUInt32LE(field.type) === SHT_NOBITS) continue;
    const sum = section.readBigUInt64LE(field.offset) + section.readBigUInt64LE(field.size);
    end = Math.max(end, Number(sum));
  }
  return end;
}

function nameReader(bytes: Buffer, strings: Buffer | undefined, file: string) {
  if (strings === undefined) throw elfMalformed(file, "there is no section of section names");
  const offset = Number(strings.readBigUInt64LE(field.offset));
  const table = bytes.subarray(offset, offset + Number(strings.readBigUInt64LE(field.size)));
  return (section: Buffer): string => {
    const start = section.readUInt32LE(field.name);
    const end = table.indexOf(0, start);
    return end < 0 ? "" : table.toString("latin1", start, end);
  };
}

/** Headers of the kept sections and of the names, which follow at `end`. */
function newTable(
  kept: readonly Buffer[],
  loaded: (section: Buffer) => boolean,
  names: (section: Buffer) => string,
  end: number,
): { headers: Buffer; strings: Buffer } {
  let text = "\0";
  const name = (value: string) => {
    const at = text.length;
    text += `${value}\0`;
    return at;
  };
  const headers = Buffer.alloc((kept.length + 1) * SECTION);
  kept.forEach((section, i) => {
    if (!loaded(section)) return;
    section.copy(headers, i * SECTION);
    headers.writeUInt32LE(name(names(section)), i * SECTION + field.name);
    // The section that it named is gone.
    if (section.readUInt32LE(field.link) >= kept.length) {
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
