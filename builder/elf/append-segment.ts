/**
 * Appends a segment of code to an ELF file in the place of its PT_INTERP: the table of program headers
 * keeps its place and its length, so that there is always room, and nothing of the file moves.
 *
 * The segment stands behind all others, in the file and in memory, as kernels and dynamic linkers want
 * them in ascending order. Its address is moved, not its offset, until the two are congruent for the
 * largest page of the machine's kernels, so the file is not padded.
 */
import { type ElfFile, type Program, PT_INTERP, PT_LOAD } from "./read.ts";

/** Bytes of a program header of 64-bit files. */
export const PROGRAM_BYTES = 56;
/** Bytes that code and constants of a segment are aligned to. */
const CODE_ALIGNMENT = 16;
const PF_R_X = 5;

export const align = (value: number, step: number) => Math.ceil(value / step) * step;

/** Where a segment goes: bytes in the file, address in memory. */
export interface SegmentPlace {
  offset: number;
  address: number;
}

/** The place behind everything that the file has. @param pageBytes the largest page of the machine */
export function placeBehind(bytes: Buffer, elf: ElfFile, pageBytes: number): SegmentPlace {
  const offset = align(bytes.length, CODE_ALIGNMENT);
  const loads = elf.programs.filter(({ type }) => type === PT_LOAD);
  const above = Math.max(...loads.map(({ address, memorySize }) => address + memorySize));
  return { offset, address: align(above, pageBytes) + (offset % pageBytes) };
}

/** The rows of the table, each as it stands there. */
export function programRows(bytes: Buffer, { programs, programTable }: ElfFile): Buffer[] {
  return programs.map((_, index) => {
    const at = programTable.offset + index * programTable.entryBytes;
    return Buffer.from(bytes.subarray(at, at + PROGRAM_BYTES));
  });
}

/** A program header. */
export function programRow(
  program: Pick<Program, "type" | "flags" | "alignment"> & SegmentPlace & { size: number },
): Buffer {
  const row = Buffer.alloc(PROGRAM_BYTES);
  row.writeUInt32LE(program.type, 0);
  row.writeUInt32LE(program.flags, 4);
  const { offset, address, size, alignment } = program;
  for (const [index, word] of [offset, address, address, size, size, alignment].entries()) {
    row.writeBigUInt64LE(BigInt(word), 8 + index * 8);
  }
  return row;
}

/**
 * The rows with a segment of code behind the last loaded one.
 *
 * @param size bytes of the segment
 */
export function withCodeRow(
  rows: readonly Buffer[],
  place: SegmentPlace,
  size: number,
  pageBytes: number,
): Buffer[] {
  const last = rows.findLastIndex((row) => row.readUInt32LE(0) === PT_LOAD);
  const added = programRow({
    ...{ type: PT_LOAD, flags: PF_R_X, ...place, size },
    alignment: pageBytes,
  });
  return rows.toSpliced(last + 1, 0, added);
}

/** Rows without PT_INTERP. */
export const withoutInterpreter = (rows: readonly Buffer[]) =>
  rows.filter((row) => row.readUInt32LE(0) !== PT_INTERP);

/** The file with `contents` at `place`, and `rows` as its table. */
export function withSegment(
  bytes: Buffer,
  elf: ElfFile,
  rows: readonly Buffer[],
  place: SegmentPlace,
  contents: Buffer,
): Buffer {
  const out = Buffer.alloc(place.offset + contents.length);
  bytes.copy(out);
  contents.copy(out, place.offset);
  Buffer.concat(rows).copy(out, elf.programTable.offset);
  return out;
}
