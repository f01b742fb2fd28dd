/**
 * Lets a program start by a dynamic linker that is packed beside it, or by the host's, without being
 * started as its argument: the loader stub (`runtime/stubs/loader.c`) takes the place of PT_INTERP.
 *
 * This is the last change of a file: what moves segments around drops what no section covers, as `strip`
 * and `objcopy` do.
 */
import { readFileSync } from "node:fs";
import * as errors from "../errors.ts";
import { machines, ownLoaderFormat } from "../generated/spec.ts";
import { stubPath } from "../host/paths.ts";
import {
  placeBehind,
  programRow,
  programRows,
  withCodeRow,
  withoutInterpreter,
  withSegment,
} from "./append-segment.ts";
import { DT, type DynamicFacts, dynamicEntries, readDynamicBytes } from "./dynamic.ts";
import {
  decodeOwnLoader,
  encodeOwnLoader,
  type OwnLoader,
  ownLoaderBytes,
} from "./own-loader-description.ts";
import { type FileRights, type Refusal, refusal } from "./own-loader-refusal.ts";
import { type ElfFile, hasElfMagic, PT_DYNAMIC, PT_INTERP, PT_LOAD, readElfBytes } from "./read.ts";
import { withRunPath } from "./run-path.ts";

export type { OwnLoader } from "./own-loader-description.ts";

const PT_PHDR = 6;
const PF_R = 4;
const PF_W = 2;
/** Place of e_entry in the header. */
const ENTRY = 24;
/** Free entries of the dynamic section that the stub needs: DT_PREINIT_ARRAY and its size. */
const HOOK_ENTRIES = 2;
/**
 * What stands in the section .interp. A debugger looks for a dynamic linker that it can open at the place
 * that the kernel told, where none is; one that it cannot open it looks for in the list of libraries.
 */
const NO_INTERPRETER = "/dev/null/stub";

/**
 * Why a program cannot start by a dynamic linker of its own; undefined when it can.
 *
 * @param bytes the whole file, an ELF file
 * @param file name for messages
 * @throws E_ELF_UNSUPPORTED, E_ELF_MALFORMED
 */
export async function cannotStartByOwnLoader(
  bytes: Buffer,
  file: string,
  rights: FileRights = {},
): Promise<Refusal | undefined> {
  const plain = await withoutOwnLoader(bytes, file);
  return refusal(plain, await readDynamicBytes(plain, file), rights);
}

/**
 * The program with a dynamic linker of its own. One that has it already is given it anew.
 *
 * @param bytes the whole file; not changed
 * @param file name for messages
 * @throws E_LIBC_PROGRAM for what `cannotStartByOwnLoader` refuses; E_RUNTIME_MISSING;
 *   E_ELF_UNSUPPORTED, E_ELF_MALFORMED
 */
export async function startByOwnLoader(
  bytes: Buffer,
  given: OwnLoader,
  file: string,
): Promise<Buffer> {
  const plain = await withoutOwnLoader(bytes, file);
  const before = await readDynamicBytes(plain, file);
  const why = refusal(plain, before, {});
  if (why !== undefined) throw errors.libcProgram(file, why.detail);
  const roomy = withRoomForHook(plain, before, given, file);
  const { elf, interpreter = "" } = roomy === plain ? before : await readDynamicBytes(roomy, file);
  const machine = machines.find((one) => one.elfMachine === elf.machine);
  if (machine === undefined) throw errors.internal(new Error(`${file}: no stub`));
  const stub = readFileSync(stubPath(machine.name, "loader"));

  const rows = programRows(roomy, elf);
  const others = withoutInterpreter(rows).filter((row) => row.readUInt32LE(0) !== PT_PHDR);
  const count = others.length + 3; // PT_PHDR, PT_INTERP, and the stub's
  const size = ownLoaderBytes(stub, given, interpreter, count);
  const place = placeBehind(roomy, elf, machine.pageBytes);
  const index = rows.findIndex((row) => row.readUInt32LE(0) === PT_INTERP);
  const named = rows[index] ?? Buffer.alloc(0);
  const shown = { offset: 0, address: 0, size: 0, alignment: 8 };
  const segment = encodeOwnLoader(stub, given, {
    address: place.address,
    entry: roomy.readBigUInt64LE(ENTRY),
    dynamic: dynamicPlace(elf, given),
    interpreter: { index, path: interpreter },
    rows: [
      programRow({ type: PT_PHDR, flags: PF_R, ...shown }),
      named,
      ...withCodeRow(others, place, size, machine.pageBytes),
    ],
  });
  const kernels = withCodeRow(withoutInterpreter(rows), place, size, machine.pageBytes);
  const out = withSegment(roomy, elf, kernels, place, segment);
  writeInterpreter(out, elf, NO_INTERPRETER);
  const start = segment.readUInt32LE(ownLoaderFormat.fields.start);
  out.writeBigUInt64LE(BigInt(place.address + start), ENTRY);
  return out;
}

/**
 * What a program says of its own loader; undefined when it has none.
 *
 * @param file name for messages
 */
export async function ownLoaderOf(
  bytes: Buffer,
  file: string,
): Promise<(OwnLoader & { interpreter: string }) | undefined> {
  if (!hasElfMagic(bytes)) return undefined;
  const { ownLoader, interpreter = "" } = await readDynamicBytes(bytes, file);
  return ownLoader && { ...ownLoader, interpreter };
}

function findSegment(bytes: Buffer, elf: ElfFile) {
  const load = elf.programs.findLast(({ type }) => type === PT_LOAD);
  if (load === undefined || elf.bits !== 64) return undefined;
  const described = decodeOwnLoader(bytes.subarray(load.offset, load.offset + load.fileSize));
  return described && { offset: load.offset, program: described.program };
}

/**
 * The program as it was before it was given a loader, but for free entries that its dynamic section got.
 * What changes a file in other ways takes it without.
 *
 * @param bytes the whole file, an ELF file; returned as it is when it has no loader of its own
 * @param file name for messages
 * @throws E_ELF_UNSUPPORTED, E_ELF_MALFORMED
 */
export async function withoutOwnLoader(bytes: Buffer, file: string): Promise<Buffer> {
  const elf = await readElfBytes(bytes, file);
  const found = findSegment(bytes, elf);
  if (found === undefined) return bytes;
  const { program } = found;
  const named = program.rows.find((row) => row.readUInt32LE(0) === PT_INTERP);
  if (named === undefined) throw errors.elfMalformed(file, "its loader stub names no interpreter");
  const last = elf.programs.findLastIndex(({ type }) => type === PT_LOAD);
  const rows = programRows(bytes, elf).toSpliced(last, 1);
  const out = Buffer.from(bytes.subarray(0, found.offset));
  Buffer.concat(rows.toSpliced(program.interpreter.index, 0, named)).copy(
    out,
    elf.programTable.offset,
  );
  out.writeBigUInt64LE(program.entry, ENTRY);
  writeInterpreter(out, await readElfBytes(out, file), program.interpreter.path);
  return out;
}

/** Writes another path where PT_INTERP has its own, as much of it as there is room for. */
function writeInterpreter(out: Buffer, { programs }: ElfFile, path: string): void {
  const place = programs.find(({ type }) => type === PT_INTERP);
  if (place === undefined) return;
  const field = Buffer.alloc(place.fileSize);
  field.write(path, 0, place.fileSize - 1, "utf8");
  field.copy(out, place.offset);
}

/** glibc's calls the hook that its dynamic section names: two entries of it have to be free. */
function withRoomForHook(
  bytes: Buffer,
  facts: DynamicFacts,
  { libc }: OwnLoader,
  file: string,
): Buffer {
  const { elf } = facts;
  const dynamic = elf.programs.find(({ type }) => type === PT_DYNAMIC);
  if (libc !== "glibc" || dynamic === undefined) return bytes;
  const section = bytes.subarray(dynamic.offset, dynamic.offset + dynamic.fileSize);
  const entries = [...dynamicEntries(section, 64)];
  const used = entries.findIndex(({ tag }) => tag === DT.NULL);
  const hooked = entries.slice(0, used).some(({ tag }) => tag === DT.PREINIT_ARRAY);
  const free = used < 0 ? 0 : entries.length - used - 1;
  if (isWritable(elf) && (hooked || free >= HOOK_ENTRIES)) return bytes;
  // More than there are now, so that it moves to where it can be written to.
  const spareEntries = Math.max(HOOK_ENTRIES, isWritable(elf) ? 0 : entries.length);
  return withRunPath(bytes, facts, { runPath: undefined, spareEntries }, file);
}

function isWritable({ programs }: ElfFile): boolean {
  const dynamic = programs.find(({ type }) => type === PT_DYNAMIC);
  return programs.some(
    ({ type, flags, address, memorySize }) =>
      type === PT_LOAD &&
      (flags & PF_W) !== 0 &&
      dynamic !== undefined &&
      dynamic.address >= address &&
      dynamic.address < address + memorySize,
  );
}

function dynamicPlace(elf: ElfFile, { libc }: OwnLoader) {
  const dynamic = elf.programs.find(({ type }) => type === PT_DYNAMIC);
  const count = libc === "glibc" && isWritable(elf) ? (dynamic?.fileSize ?? 0) / 16 : 0;
  return { address: dynamic?.address ?? 0, count: Math.floor(count) };
}
