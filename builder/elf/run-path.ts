/**
 * Gives a copy of an ELF file a search path of its own, so that it finds libraries that lie beside
 * it without any variable that its children would inherit.
 *
 * The path becomes DT_RPATH, and DT_RUNPATH goes: LD_LIBRARY_PATH of whoever starts the app comes
 * before DT_RUNPATH and would put other libraries in the place of the packed ones; it does not come
 * before DT_RPATH. The libraries that a program opens itself are found by DT_RPATH too.
 *
 * A longer path fits nowhere, so a segment is appended with the string table and, because one more
 * segment needs room too, the program header table; the dynamic section follows when it has no free
 * entry. Nothing that is in use moves: addresses in the code stay true. Two rules decide where the
 * segment goes:
 *  - its address is above all others, as segments are in ascending order;
 *  - kernels before 5.18 tell a program where its program headers are by e_phoff and the distance of
 *    the first segment's address and offset, so the new segment keeps that distance.
 *
 * A program with a payload behind its ELF file is not made longer: run-path-in-place.ts.
 */
import * as errors from "../errors.ts";
import { align, PROGRAM_BYTES } from "./append-segment.ts";
import { DT, type DynamicFacts, fileOffset } from "./dynamic.ts";
import {
  type DynamicEdit,
  editedSection,
  entryValue,
  renameVersions,
  setEntry,
} from "./dynamic-edit.ts";
import { PHNUM_MAX, type Program, PT_DYNAMIC, PT_LOAD } from "./read.ts";
import { payloadBytes, withRunPathInPlace } from "./run-path-in-place.ts";

const PT_PHDR = 6;
const PF_W_R = 6;
const PF_R = 4;
const SHT_STRTAB = 3;
const SHT_DYNAMIC = 6;
/** Zeros that stand for memory without bytes in the file, such as large arrays. Bytes. */
const MAX_HOLE = 256 << 20;
/** Of a page where the file does not say: the largest that Linux uses. */
const DEFAULT_ALIGNMENT = 0x10000;

/**
 * The bytes of the file with another search path, and with other names of what it needs.
 *
 * @param bytes the whole file; not changed
 * @param facts what `readDynamic` said of it
 * @param file name for messages
 * @throws E_ELF_UNSUPPORTED when there is no dynamic section, or the file is no usual 64-bit one;
 *   E_ELF_PAYLOAD when there is no room for it in a file that must not become longer; E_ELF_MALFORMED
 */
export function withRunPath(
  bytes: Buffer,
  facts: DynamicFacts,
  edit: DynamicEdit,
  file: string,
): Buffer {
  const { elf } = facts;
  if (facts.ownLoader !== undefined) {
    throw errors.elfUnsupported(file, "its loader stub has to be the last change of it");
  }
  if (elf.bits !== 64) throw errors.elfUnsupported(file, "only 64-bit files can be changed");
  const dynamic = elf.programs.find(({ type }) => type === PT_DYNAMIC);
  const loads = elf.programs.filter(({ type }) => type === PT_LOAD);
  const [first] = loads;
  if (dynamic === undefined || first === undefined) {
    throw errors.elfUnsupported(file, "a static program has no search path");
  }
  if (elf.programTable.entryBytes !== PROGRAM_BYTES) {
    throw errors.elfUnsupported(file, "its program headers are not of the usual size");
  }
  if (elf.programs.length >= PHNUM_MAX) throw errors.elfUnsupported(file, "too many segments");
  const section = Buffer.from(bytes.subarray(dynamic.offset, dynamic.offset + dynamic.fileSize));
  const strings = stringTable(bytes, facts, section, file);
  const payload = payloadBytes(bytes, elf);
  const inPlace = edit.runPath === undefined && edit.spareEntries === undefined;
  if (payload > 0 || inPlace) {
    return withRunPathInPlace({ bytes, facts, section, edit, payload, file });
  }
  const table = editedSection(section, strings, edit, strings.length);
  const moved = table.length > section.length;

  const alignment = Math.max(...loads.map((load) => load.alignment), DEFAULT_ALIGNMENT);
  const distance = first.address - first.offset;
  const above = Math.max(...loads.map((load) => load.address + load.memorySize));
  const address = align(Math.max(above, bytes.length + distance), alignment);
  const offset = address - distance;

  const fits = Number.isSafeInteger(address) && Number.isSafeInteger(offset);
  if (!fits || offset < bytes.length || offset - bytes.length > MAX_HOLE) {
    throw errors.elfUnsupported(file, "its segments reach too far above its bytes");
  }

  const headersSize = (elf.programs.length + 1) * elf.programTable.entryBytes;
  const stringsAt = align(headersSize, 16);
  const added = Buffer.from(edit.runPath === undefined ? "" : `${edit.runPath}\0`);
  const stringsSize = strings.length + added.length;
  const dynamicAt = align(stringsAt + stringsSize, 16);
  const size = moved ? dynamicAt + table.length : stringsAt + stringsSize;

  setEntry(table, DT.STRTAB, address + stringsAt);
  setEntry(table, DT.STRSZ, stringsSize);
  const out = Buffer.alloc(offset + size);
  bytes.copy(out);
  strings.copy(out, offset + stringsAt);
  added.copy(out, offset + stringsAt + strings.length);
  table.copy(out, moved ? offset + dynamicAt : dynamic.offset);
  const segment = { address, offset, size, alignment, flags: moved ? PF_W_R : PF_R };
  renameVersions(out, facts, strings, edit);
  writeHeaders(out, facts, segment, moved ? { at: dynamicAt, size: table.length } : undefined);
  const oldStrings = entryValue(section, DT.STRTAB);
  moveSections(
    out,
    facts,
    [
      { type: SHT_STRTAB, from: oldStrings, at: stringsAt, size: stringsSize },
      ...(moved
        ? [{ type: SHT_DYNAMIC, from: dynamic.address, at: dynamicAt, size: table.length }]
        : []),
    ].map((move) => ({ ...move, address: address + move.at, offset: offset + move.at })),
  );
  return out;
}

interface NewSegment {
  address: number;
  offset: number;
  size: number;
  alignment: number;
  flags: number;
}

function stringTable(bytes: Buffer, { elf }: DynamicFacts, dynamic: Buffer, file: string): Buffer {
  const place = fileOffset(elf, entryValue(dynamic, DT.STRTAB));
  const size = entryValue(dynamic, DT.STRSZ);
  if (place === undefined || size > place.available) {
    throw errors.elfMalformed(file, "DT_STRTAB lies outside its segment");
  }
  return bytes.subarray(place.offset, place.offset + size);
}

/** Writes the program header table with one more segment, behind the other loaded ones. */
function writeHeaders(
  out: Buffer,
  { elf }: DynamicFacts,
  segment: NewSegment,
  dynamic: { at: number; size: number } | undefined,
): void {
  const { entryBytes, offset: oldTable } = elf.programTable;
  const lastLoad = elf.programs.findLastIndex(({ type }) => type === PT_LOAD);
  const put = (index: number, program: Omit<Program, "memorySize">) => {
    const at = segment.offset + index * entryBytes;
    out.writeUInt32LE(program.type, at);
    out.writeUInt32LE(program.flags, at + 4);
    const { offset, address, fileSize } = program;
    const words = [offset, address, address, fileSize, fileSize, program.alignment];
    for (const [position, word] of words.entries()) {
      out.writeBigUInt64LE(BigInt(word), at + 8 + position * 8);
    }
  };
  const { address, offset, flags, alignment } = segment;
  for (const [index, program] of elf.programs.entries()) {
    const to = index > lastLoad ? index + 1 : index;
    const from = oldTable + index * entryBytes;
    out.copy(out, segment.offset + to * entryBytes, from, from + entryBytes);
    if (program.type === PT_PHDR) {
      const fileSize = (elf.programs.length + 1) * entryBytes;
      put(to, { type: PT_PHDR, flags: PF_R, address, offset, fileSize, alignment: 8 });
    } else if (program.type === PT_DYNAMIC && dynamic !== undefined) {
      const { at, size: fileSize } = dynamic;
      const place = { address: address + at, offset: offset + at, fileSize };
      put(to, { type: PT_DYNAMIC, flags: PF_W_R, ...place, alignment: 8 });
    }
  }
  const load = { type: PT_LOAD, flags, address, offset, fileSize: segment.size, alignment };
  put(lastLoad + 1, load);
  out.writeBigUInt64LE(BigInt(offset), 32);
  out.writeUInt16LE(elf.programs.length + 1, 56);
}

interface SectionMove {
  type: number;
  /** Its address before. */
  from: number;
  address: number;
  offset: number;
  size: number;
}

/** Section headers are for debuggers and the like; they should not say what is no longer true. */
function moveSections(out: Buffer, { elf }: DynamicFacts, moves: readonly SectionMove[]): void {
  const { offset, entryBytes, count } = elf.sectionTable;
  for (let index = 0; index < count; index++) {
    const at = offset + index * entryBytes;
    const type = out.readUInt32LE(at + 4);
    const address = Number(out.readBigUInt64LE(at + 16));
    const move = moves.find((one) => one.type === type && one.from === address);
    if (move === undefined) continue;
    out.writeBigUInt64LE(BigInt(move.address), at + 16);
    out.writeBigUInt64LE(BigInt(move.offset), at + 24);
    out.writeBigUInt64LE(BigInt(move.size), at + 32);
  }
}
