/** Which programs cannot be given a dynamic linker of their own, and why. */
import { machines } from "../generated/spec.ts";
import { PROGRAM_BYTES } from "./append-segment.ts";
import { DT, type DynamicFacts, dynamicEntries } from "./dynamic.ts";
import { type ElfFile, machineName, PHNUM_MAX, PT_DYNAMIC, PT_INTERP, PT_LOAD } from "./read.ts";
import { payloadBytes } from "./run-path-in-place.ts";

/**
 * - `static`: needs no dynamic linker, so it runs anywhere as it is; Go programs without cgo too
 * - `library`: can be run as a program too, but is loaded as a library
 * - `payload`: has data behind its ELF file, which it looks for from the end
 * - `upx`: was compressed by UPX, whose own start opens the dynamic linker by its absolute path
 * - `set-id`: runs with other rights than its caller's
 * - `machine`: for one that there is no stub for
 * - `headers`: not as linkers write them
 */
type RefusalReason = "static" | "library" | "payload" | "upx" | "set-id" | "machine" | "headers";

export interface Refusal {
  reason: RefusalReason;
  /** In words, as the end of a sentence about the program. */
  detail: string;
}

/** What a file is beside its bytes. */
export interface FileRights {
  /** st_mode. */
  mode?: number;
  /** Whether it has the extended attribute security.capability. */
  capabilities?: boolean;
}

const ET_EXEC = 2;
const ET_DYN = 3;
const DF_1_PIE = 0x08000000;
const SET_ID = 0o6000;
/** UPX puts its mark behind the program headers, and at the end of the file. Bytes. */
const UPX_HEAD = 4096;
const UPX_TAIL = 64;

/** @param bytes without an own loader */
export function refusal(
  bytes: Buffer,
  facts: DynamicFacts,
  rights: FileRights,
): Refusal | undefined {
  const { elf } = facts;
  const refuse = (reason: RefusalReason, detail: string) => ({ reason, detail });
  const machine = machines.find((one) => one.elfMachine === elf.machine);
  if (machine === undefined || elf.bits !== 64) {
    const name = elf.bits === 64 ? machineName(elf.machine) : `${elf.bits}-bit`;
    return refuse("machine", `it is for another machine (${name})`);
  }
  if (facts.interpreter === undefined) {
    if (isUpx(bytes)) return refuse("upx", "it was compressed by UPX; `upx -d` undoes that");
    if (isLibrary(bytes, facts)) return refuse("library", "it is a library");
    return refuse("static", "it is static, and needs no libc");
  }
  if (isLibrary(bytes, facts)) return refuse("library", "it is a library that can be run, too");
  if (((rights.mode ?? 0) & SET_ID) !== 0) {
    return refuse("set-id", "it has the set-user-ID or set-group-ID bit");
  }
  if (rights.capabilities === true) return refuse("set-id", "it has capabilities");
  const payload = payloadBytes(bytes, elf);
  if (payload > 0) return refuse("payload", `${payload} bytes are appended behind it`);
  const odd = oddHeaders(facts);
  return odd === undefined ? undefined : refuse("headers", odd);
}

/** A program that may be at any address says so by DF_1_PIE, older ones by having no name. */
function isLibrary(bytes: Buffer, { elf, soname, interpreter }: DynamicFacts): boolean {
  if (elf.type !== ET_DYN) return false;
  const dynamic = elf.programs.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return false;
  const section = bytes.subarray(dynamic.offset, dynamic.offset + dynamic.fileSize);
  for (const { tag, value } of dynamicEntries(section, 64)) {
    if (tag === DT.NULL) break;
    if (tag === DT.FLAGS_1 && (value & DF_1_PIE) !== 0) return false;
  }
  return soname !== undefined || (interpreter === undefined && bytes.readBigUInt64LE(24) === 0n);
}

function isUpx(bytes: Buffer): boolean {
  const mark = Buffer.from("UPX!");
  return bytes.subarray(0, UPX_HEAD).includes(mark) || bytes.subarray(-UPX_TAIL).includes(mark);
}

function oddHeaders({ elf, interpreter }: DynamicFacts): string | undefined {
  if (elf.type !== ET_EXEC && elf.type !== ET_DYN) return `its type is ${elf.type}`;
  if (elf.programTable.entryBytes !== PROGRAM_BYTES)
    return "its program headers are of another size";
  if (elf.programs.length >= PHNUM_MAX) return "it has too many segments";
  if (elf.programs.filter(({ type }) => type === PT_INTERP).length > 1) {
    return "it names two dynamic linkers";
  }
  if (!interpreter?.startsWith("/")) return "the path of its dynamic linker is not absolute";
  if (!isAscending(elf)) return "its segments are not in ascending order";
  if (!elf.programs.some(({ type }) => type === PT_DYNAMIC)) return "it has no dynamic section";
  return undefined;
}

function isAscending({ programs }: ElfFile): boolean {
  const loads = programs.filter(({ type }) => type === PT_LOAD);
  return loads.every((load, index) => {
    const before = loads[index - 1];
    return before === undefined || load.address >= before.address + before.memorySize;
  });
}
