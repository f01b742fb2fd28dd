/**
 * A search path for a program that has a payload behind its ELF file: PyInstaller, staticx, pkg, bun,
 * deno compile, zip files behind a program. Some of them look for it from the end of the file, some at
 * the place that was true when it was put there. So no byte may move, and the file stays as long as it is.
 *
 * Linkers leave a gap between segments, up to the end of a page. The path is written into the one
 * behind the segment that holds the string table, which becomes so much longer; the string table
 * reaches as far, for nothing but its start is an address. DT_RPATH takes the entry of the old path, or a
 * free one.
 */
import * as errors from "../errors.ts";
import { DT, type DynamicFacts } from "./dynamic.ts";
import { type DynamicEdit, editedSection, renameVersions, setEntry } from "./dynamic-edit.ts";
import { type ElfFile, NOBITS, type Program, PT_DYNAMIC, PT_LOAD } from "./read.ts";

/** Smallest page of the machines that we know: a segment that ends in one may fill it. Bytes. */
const PAGE = 4096;

/** Bytes behind all that the ELF file describes; 0 when they are only zeros, which no program looks for. */
export function payloadBytes(bytes: Buffer, elf: ElfFile): number {
  const ends = elf.sections.map(({ type, offset, size }) => (type === NOBITS ? 0 : offset + size));
  const end = Math.max(elf.endOffset, ...ends);
  return bytes.subarray(end).some((byte) => byte !== 0) ? bytes.length - end : 0;
}

interface InPlace {
  bytes: Buffer;
  facts: DynamicFacts;
  /** The dynamic section. */
  section: Buffer;
  edit: DynamicEdit;
  /** Bytes of the payload. */
  payload: number;
  file: string;
}

/** @throws E_ELF_PAYLOAD when there is no room */
export function withRunPathInPlace(given: InPlace): Buffer {
  const { bytes, facts, section, edit, payload, file } = given;
  const { elf, strings: place } = facts;
  const path = Buffer.from(edit.runPath === undefined ? "" : `${edit.runPath}\0`);
  const strings = bytes.subarray(place.offset, place.offset + place.size);
  const segment = elf.programs.findIndex((program) => holds(program, place));
  const holder = elf.programs[segment];
  const dynamic = elf.programs.find(({ type }) => type === PT_DYNAMIC);
  if (holder === undefined || dynamic === undefined) {
    throw errors.elfMalformed(file, "DT_STRTAB lies outside its segment");
  }
  const room = roomBehind(bytes, elf, holder);
  const end = holder.offset + holder.fileSize;
  const table = editedSection(section, strings, edit, end - place.offset);
  if (room < path.length) throw errors.elfPayload(file, payload, `${room} bytes`, path.length);
  if (table.length > section.length) {
    throw errors.elfPayload(file, payload, "no free entry in its dynamic section", path.length);
  }
  const out = Buffer.from(bytes);
  if (path.length > 0) setEntry(table, DT.STRSZ, end - place.offset + path.length);
  path.copy(out, end);
  table.copy(out, dynamic.offset);
  renameVersions(out, facts, strings, edit);
  const header = elf.programTable.offset + segment * elf.programTable.entryBytes;
  const size = BigInt(holder.fileSize + path.length);
  out.writeBigUInt64LE(size, header + 32);
  out.writeBigUInt64LE(size, header + 40);
  return out;
}

function holds({ type, offset, fileSize }: Program, place: DynamicFacts["strings"]): boolean {
  return type === PT_LOAD && place.offset >= offset && place.offset < offset + fileSize;
}

/** Zeros behind a segment that are nobody's, in the file and in memory. Bytes. */
function roomBehind(bytes: Buffer, elf: ElfFile, segment: Program): number {
  // What has no bytes in the file, as .bss, stands there in memory.
  if (segment.memorySize !== segment.fileSize) return 0;
  const end = segment.offset + segment.fileSize;
  const { programTable, sectionTable, sections, programs } = elf;
  const starts = [
    bytes.length,
    programTable.offset,
    ...(sectionTable.count > 0 ? [sectionTable.offset] : []),
    ...programs.filter(({ fileSize }) => fileSize > 0).map(({ offset }) => offset),
    ...sections.filter(({ type, size }) => type !== NOBITS && size > 0).map(({ offset }) => offset),
  ];
  const inFile = Math.min(...starts.filter((start) => start >= end));
  const memoryEnd = segment.address + segment.memorySize;
  const above = programs
    .filter(({ type, address }) => type === PT_LOAD && address > segment.address)
    .map(({ address }) => Math.floor(address / PAGE) * PAGE);
  const inMemory = Math.min(...above, Math.ceil(memoryEnd / PAGE) * PAGE);
  const room = Math.max(0, Math.min(inFile - end, inMemory - memoryEnd));
  return bytes.subarray(end, end + room).every((byte) => byte === 0) ? room : 0;
}
