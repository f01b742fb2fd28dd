/**
 * The libc.so.6 of glibc with variables of its own: LOCPATH and GCONV_PATH name folders of the bundle,
 * without standing in the environment. `runtime/stubs/variables.c` is the code for it, in a segment that
 * takes the place of PT_INTERP: only `./libc.so.6` as a command needs that. The first instructions of
 * getenv become a jump to it. And the folder of gconv modules that was built in becomes one that cannot
 * be: the host's modules belong to another libc.
 *
 * Renaming the two variables in the libc's constants would be less, but then they stand in the environment
 * and every child inherits them; and no constant of it can name a folder that is known at start only.
 */
import { readFileSync } from "node:fs";
import * as errors from "../errors.ts";
import { libcVariablesFormat, machines } from "../generated/spec.ts";
import { stubPath } from "../host/paths.ts";
import {
  placeBehind,
  programRows,
  withCodeRow,
  withoutInterpreter,
  withSegment,
} from "./append-segment.ts";
import { fileOffset } from "./dynamic.ts";
import { bytesAt, dynamicSection, type Entries, findSymbol } from "./find-symbol.ts";
import { type ElfFile, PT_INTERP, PT_LOAD, readElfBytes } from "./read.ts";

const DT_RELA = 7;
const DT_RELASZ = 8;
const RELOCATION_BYTES = 24;
/** Type of the relocation that puts a symbol's address into a slot, by e_machine. */
const ADDRESS_RELOCATION: Readonly<Record<number, number>> = { 62: 6, 183: 1025, 243: 2 };
/** All of them are one variable. */
const ENVIRON = ["environ", "_environ", "__environ"];
/** Bytes of the longest jump below. */
const JUMP_BYTES = 9;
/** How far the jumps below reach on every machine; aarch64 has the shortest. Bytes. */
const MAX_JUMP = 0x7000000;
/** The built-in folder of gconv modules, and its cache. */
const GCONV = /\0(\/[^\0]*\/gconv(?:\/gconv-modules\.cache)?)(?=\0)/g;
const GCONV_COUNT = 2;

/**
 * @param bytes the whole file; not changed
 * @param file name for messages
 * @throws E_LIBC_UNKNOWN; E_RUNTIME_MISSING, E_ELF_MALFORMED
 */
export async function withPrivateVariables(bytes: Buffer, file: string): Promise<Buffer> {
  const elf = await readElfBytes(bytes, file);
  const machine = machines.find((one) => one.elfMachine === elf.machine);
  if (machine === undefined || elf.bits !== 64) {
    throw errors.libcUnknown(file, "the libc is for a machine that no program is packed for");
  }
  if (isChanged(bytes, elf)) return bytes;
  if (!elf.programs.some(({ type }) => type === PT_INTERP)) {
    throw errors.libcUnknown(file, "the libc has no PT_INTERP that could make room");
  }
  const stub = readFileSync(stubPath(machine.name, "variables"));
  const place = placeBehind(bytes, elf, machine.pageBytes);
  const { getenv, getauxval, environ } = places(bytes, elf, file);
  for (const address of [getenv.address, getauxval, environ]) {
    if (Math.abs(address - place.address) <= MAX_JUMP) continue;
    throw errors.libcUnknown(
      file,
      "the libc's own functions and variables lie far from each other",
    );
  }
  const { fields } = libcVariablesFormat;
  stub.writeBigInt64LE(BigInt(environ - place.address), fields.environ);
  stub.writeBigInt64LE(BigInt(getauxval - place.address), fields.getauxval);
  const target = place.address + stub.readUInt32LE(fields.getenv);
  const jump = jumpTo(elf.machine, getenv.address, target);

  const rows = withoutInterpreter(programRows(bytes, elf));
  const coded = withCodeRow(rows, place, stub.length, machine.pageBytes);
  const out = withSegment(bytes, elf, coded, place, stub);
  jump.copy(out, getenv.offset);
  blankGconv(out, bytes, file);
  return out;
}

function isChanged(bytes: Buffer, { programs }: ElfFile): boolean {
  const offset = programs.findLast(({ type }) => type === PT_LOAD)?.offset ?? 0;
  const { magic } = libcVariablesFormat;
  return bytes.toString("latin1", offset, offset + magic.length) === magic;
}

/** Addresses of what the new getenv is made of, and where the old one is in the file. */
function places(bytes: Buffer, elf: ElfFile, file: string) {
  const entries = dynamicSection(bytes, elf);
  const find = (name: string) => findSymbol(bytes, elf, entries, name);
  const [getenv, getauxval] = [find("getenv"), find("getauxval")];
  const offset = getenv && fileOffset(elf, getenv.address)?.offset;
  if (getenv === undefined || offset === undefined || getenv.size < JUMP_BYTES) {
    throw errors.libcUnknown(file, "the libc has no getenv that could be changed");
  }
  if (getauxval === undefined) throw errors.libcUnknown(file, "the libc has no getauxval");
  const slots = environSlots(
    bytes,
    elf,
    entries,
    new Set(ENVIRON.map((name) => find(name)?.index)),
  );
  const [environ] = slots;
  if (environ === undefined || slots.length !== 1) {
    throw errors.libcUnknown(
      file,
      "the libc does not look its variable environ up by one pointer",
      {
        ...{ expected: "1", actual: `${slots.length}` },
      },
    );
  }
  return { getenv: { ...getenv, offset }, getauxval: getauxval.address, environ };
}

/** Where the dynamic linker puts the address of `environ`: a program may have a copy of the variable. */
function environSlots(
  bytes: Buffer,
  elf: ElfFile,
  entries: Entries,
  indexes: ReadonlySet<number | undefined>,
): number[] {
  const table = bytesAt(bytes, elf, entries.get(DT_RELA)).subarray(0, entries.get(DT_RELASZ) ?? 0);
  const wanted = ADDRESS_RELOCATION[elf.machine];
  const slots: number[] = [];
  for (let at = 0; at + RELOCATION_BYTES <= table.length; at += RELOCATION_BYTES) {
    const [type, index] = [table.readUInt32LE(at + 8), table.readUInt32LE(at + 12)];
    if (type === wanted && indexes.has(index)) slots.push(Number(table.readBigUInt64LE(at)));
  }
  return slots;
}

/** A jump, with a landing pad where calls go by pointers to such only. */
function jumpTo(machine: number, from: number, to: number): Buffer {
  if (machine === 62) {
    const jump = Buffer.from([0xf3, 0x0f, 0x1e, 0xfa, 0xe9, 0, 0, 0, 0]); // endbr64; jmp
    jump.writeInt32LE(to - (from + JUMP_BYTES), 5);
    return jump;
  }
  const jump = Buffer.alloc(8);
  if (machine === 183) {
    jump.writeUInt32LE(0xd503245f, 0); // bti c
    jump.writeUInt32LE((0x14000000 | (((to - from - 4) >> 2) & 0x3ffffff)) >>> 0, 4); // b
    return jump;
  }
  const distance = to - from;
  const upper = (distance + 0x800) >> 12;
  jump.writeUInt32LE((0x317 | (upper << 12)) >>> 0, 0); // auipc t1
  jump.writeUInt32LE((0x30067 | ((distance & 0xfff) << 20)) >>> 0, 4); // jr t1
  return jump;
}

function blankGconv(out: Buffer, bytes: Buffer, file: string): void {
  const found = [...bytes.toString("latin1").matchAll(GCONV)];
  if (found.length !== GCONV_COUNT) {
    const actual = found.map(([, text]) => text).join(", ") || "none";
    throw errors.libcUnknown(file, "the libc's own folder of gconv modules is not as expected", {
      ...{ expected: "the folder and its cache", actual },
    });
  }
  for (const { 1: text = "", index } of found) {
    out.write("/dev/null/".padEnd(text.length, "x").slice(0, text.length), index + 1, "latin1");
  }
}
