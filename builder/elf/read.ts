/**
 * Reads the headers of an ELF file that comes from anyone.
 *
 * Every offset and count is checked against the file before it is used; nothing is allocated by a
 * claimed size. Little-endian files of both classes are read, whatever the machine.
 * Format: System V ABI, chapters 4 and 5; numbers that do not fit the header stand in section 0.
 */
import type { FileHandle } from "node:fs/promises";
import * as errors from "../errors.ts";
import { appimageFormat, machines, manifestFormat, otherMachines } from "../generated/spec.ts";

export interface Section {
  name: string;
  /** sh_type; 8 is SHT_NOBITS, which has no bytes in the file. */
  type: number;
  /** Bytes from the start of the file. */
  offset: number;
  /** Bytes. */
  size: number;
}

/** A segment of the program header table. */
export interface Program {
  /** p_type and p_flags. */
  type: number;
  flags: number;
  /** Bytes from the start of the file, address in memory, bytes in file and memory. */
  offset: number;
  address: number;
  fileSize: number;
  memorySize: number;
  alignment: number;
}

export interface ElfFile {
  /** e_type: 2 is a program at a fixed address, 3 a shared object or a program at any address. */
  type: number;
  /** Bits of the class: word size of the file's machine. */
  bits: 32 | 64;
  /** e_machine; `machineName` has its name. */
  machine: number;
  /** EI_OSABI. */
  osabi: number;
  /** Of an AppImage; undefined in other files. */
  appImageType: number | undefined;
  /** Section header table: bytes from the start of the file, of one entry, and number of them. */
  sectionTable: { offset: number; entryBytes: number; count: number };
  sections: Section[];
  /** Program header table: bytes from the start of the file, of one entry; its segments. */
  programTable: { offset: number; entryBytes: number };
  programs: Program[];
  /** Bytes of the ELF itself: the end of its last table or loaded segment, not aligned. */
  endOffset: number;
}

/** Place of EI_DATA, and its value for what is read here. */
const ORDER = 5;
const LITTLE_ENDIAN = 1;
/** sh_type of a section without bytes in the file. */
export const NOBITS = 8;
/** e_phnum of this value says that the number stands elsewhere. */
export const PHNUM_MAX = 0xfffe;
/** p_type of a segment that is mapped. */
export const PT_LOAD = 1;
/** p_type of the segment that tells the dynamic linker what to do. */
export const PT_DYNAMIC = 2;
/** p_type of the segment that names the dynamic linker. */
export const PT_INTERP = 3;
/** e_phnum and e_shstrndx of this value say: the number stands in section header 0. */
const ELSEWHERE = 0xffff;
/** Largest tables that are read. The kernel takes 64 KiB of program headers. */
const MAX_TABLE_BYTES = 16 << 20;
const MAX_NAMES_BYTES = 1 << 20;

/** Where the fields stand, in bytes, for each class. */
const layouts = {
  64: {
    wide: true,
    header: 64,
    phoff: 32,
    shoff: 40,
    counts: 54,
    program: {
      entry: 56,
      flags: 4,
      offset: 8,
      address: 16,
      fileSize: 32,
      memorySize: 40,
      align: 48,
    },
    section: { entry: 64, offset: 24, size: 32, link: 40, info: 44 },
  },
  32: {
    wide: false,
    header: 52,
    phoff: 28,
    shoff: 32,
    counts: 42,
    program: {
      entry: 32,
      flags: 24,
      offset: 4,
      address: 8,
      fileSize: 16,
      memorySize: 20,
      align: 28,
    },
    section: { entry: 40, offset: 16, size: 20, link: 24, info: 28 },
  },
} as const;

/** Machines by e_machine, as `uname -m` calls them. */
export function machineName(machine: number): string {
  const known = [...machines, ...otherMachines].find(({ elfMachine }) => elfMachine === machine);
  return known?.name ?? `machine ${machine}`;
}

/** First multiple of 4096 that is not below `offset`: where an image may start. */
export function alignImage(offset: number): number {
  const step = manifestFormat.imageAlignment;
  return Math.ceil(offset / step) * step;
}

/** The type that the magic of an AppImage names; undefined without it. */
function appImageType(ident: Buffer): number | undefined {
  const { magic, magicOffset } = appimageFormat;
  const end = magicOffset + magic.length;
  return ident.toString("latin1", magicOffset, end) === magic ? ident[end] : undefined;
}

/** True when the file starts as an ELF file does. */
export function hasElfMagic(head: Uint8Array): boolean {
  return head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

/** Bytes that `machineOf` needs: an ELF header up to e_machine. */
export const MACHINE_HEAD = 20;

/**
 * e_machine by the first bytes of a file, whatever comes behind them.
 *
 * @returns undefined for what is no ELF file, or one for a big-endian machine
 */
export function machineOf(head: Buffer): number | undefined {
  if (head.length < MACHINE_HEAD || !hasElfMagic(head)) return undefined;
  return head[ORDER] === LITTLE_ENDIAN ? head.readUInt16LE(18) : undefined;
}

/**
 * Reads the headers.
 *
 * @param file name for messages
 * @throws E_ELF_UNSUPPORTED when it is no little-endian ELF file
 * @throws E_ELF_MALFORMED when its headers contradict themselves or lead out of the file
 */
export async function readElf(handle: FileHandle, file: string): Promise<ElfFile> {
  return new ElfReader(handle, file, (await handle.stat()).size).read();
}

/** `readElf` for a file that is in memory. */
export function readElfBytes(bytes: Buffer, file: string): Promise<ElfFile> {
  return new ElfReader(sourceOf(bytes), file, bytes.length).read();
}

/** A file in memory, read as one on disk is. */
export function sourceOf(bytes: Buffer): Source {
  return {
    read: async (buffer, offset, length, position) => ({
      // Behind its end there is nothing to read; Buffer.copy throws.
      bytesRead:
        position < bytes.length ? bytes.copy(buffer, offset, position, position + length) : 0,
    }),
  };
}

/** What of a file handle is needed. */
export interface Source {
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }>;
}

type Layout = (typeof layouts)[32 | 64];

class ElfReader {
  readonly #handle: Source;
  readonly #file: string;
  readonly #fileSize: number;

  constructor(handle: Source, file: string, fileSize: number) {
    this.#handle = handle;
    this.#file = file;
    this.#fileSize = fileSize;
  }

  async read(): Promise<ElfFile> {
    const ident = await this.#bytes(0, Math.min(64, this.#fileSize), "ELF header");
    const bits = this.#classOf(ident);
    const layout = layouts[bits];
    if (ident.length < layout.header) {
      throw this.#malformed("the ELF header is cut short", layout.header, ident.length);
    }
    const counts = layout.counts;
    const phoff = this.#word(ident, layout.phoff, layout, "e_phoff");
    const shoff = this.#word(ident, layout.shoff, layout, "e_shoff");
    const phentsize = ident.readUInt16LE(counts);
    const shentsize = ident.readUInt16LE(counts + 4);
    let phnum = ident.readUInt16LE(counts + 2);
    let shnum = ident.readUInt16LE(counts + 6);
    let shstrndx = ident.readUInt16LE(counts + 8);
    const { section } = layout;
    if (shoff !== 0) {
      if (shentsize < section.entry) {
        throw this.#malformed("e_shentsize is too small", section.entry, shentsize);
      }
      if (shnum === 0 || phnum === ELSEWHERE || shstrndx === ELSEWHERE) {
        const first = await this.#bytes(shoff, section.entry, "section header 0");
        if (shnum === 0) shnum = this.#word(first, section.size, layout, "number of sections");
        if (phnum === ELSEWHERE) phnum = first.readUInt32LE(section.info);
        if (shstrndx === ELSEWHERE) shstrndx = first.readUInt32LE(section.link);
      }
    } else shnum = 0;
    if (phnum > 0 && phentsize < layout.program.entry) {
      throw this.#malformed("e_phentsize is too small", layout.program.entry, phentsize);
    }
    const programEnd = phnum === 0 ? 0 : phoff + phnum * phentsize;
    const sectionEnd = shoff + shnum * shentsize;
    const programs = await this.#table(phoff, phnum, phentsize, "program header table");
    const table = await this.#table(shoff, shnum, shentsize, "section header table");
    const sections = await this.#sections(table, layout, shentsize, shnum, shstrndx);
    const segments = this.#programs(programs, layout, phentsize, phnum);
    const loadEnd = this.#loadEnd(segments);
    return {
      type: ident.readUInt16LE(16),
      bits,
      machine: ident.readUInt16LE(18),
      osabi: ident.readUInt8(7),
      appImageType: appImageType(ident),
      sectionTable: { offset: shoff, entryBytes: shentsize, count: shnum },
      sections,
      programTable: { offset: phoff, entryBytes: phentsize },
      programs: segments,
      endOffset: Math.max(layout.header, programEnd, sectionEnd, loadEnd),
    };
  }

  #classOf(ident: Buffer): 32 | 64 {
    if (!hasElfMagic(ident)) throw errors.elfUnsupported(this.#file, "this is not an ELF file");
    if (ident.length < 16) throw this.#malformed("the ELF header is cut short", 64, ident.length);
    const elfClass = ident[4];
    const order = ident[ORDER];
    if (order === 2) {
      throw errors.elfUnsupported(this.#file, "this ELF file is for a big-endian machine", {
        expected: "little-endian",
        actual: "big-endian",
      });
    }
    if ((elfClass !== 1 && elfClass !== 2) || order !== LITTLE_ENDIAN) {
      throw errors.elfMalformed(this.#file, "class or byte order is none that exists", {
        expected: "class 1 or 2, byte order 1",
        actual: `class ${elfClass}, byte order ${order}`,
      });
    }
    return elfClass === 2 ? 64 : 32;
  }

  async #sections(
    table: Buffer,
    layout: Layout,
    entryBytes: number,
    count: number,
    namesIndex: number,
  ): Promise<Section[]> {
    const { section } = layout;
    const nameOffsets: number[] = [];
    const sections: Section[] = [];
    for (let index = 0; index < count; index++) {
      const at = index * entryBytes;
      nameOffsets.push(table.readUInt32LE(at));
      sections.push({
        name: "",
        type: table.readUInt32LE(at + 4),
        offset: this.#word(table, at + section.offset, layout, `offset of section ${index}`),
        size: this.#word(table, at + section.size, layout, `size of section ${index}`),
      });
    }
    const names = namesIndex === 0 ? undefined : sections[namesIndex];
    if (namesIndex !== 0 && names === undefined) {
      throw this.#malformed("e_shstrndx is out of range", `below ${count}`, namesIndex);
    }
    if (names === undefined || names.type === NOBITS) return sections;
    if (names.size > MAX_NAMES_BYTES) {
      throw this.#malformed("section names are too long", `${MAX_NAMES_BYTES} bytes`, names.size);
    }
    const text = await this.#bytes(names.offset, names.size, "section names");
    for (const [index, section] of sections.entries()) {
      const start = nameOffsets[index] ?? 0;
      const end = text.indexOf(0, start);
      if (start > text.length || end < 0) {
        if (start === 0 && text.length === 0) continue;
        throw this.#malformed(`name of section ${index} is outside the names`, text.length, start);
      }
      section.name = text.toString("latin1", start, end);
    }
    return sections;
  }

  #programs(table: Buffer, layout: Layout, entryBytes: number, count: number): Program[] {
    const { program } = layout;
    return Array.from({ length: count }, (_, index) => {
      const at = index * entryBytes;
      const word = (field: number) => this.#word(table, at + field, layout, `segment ${index}`);
      const type = table.readUInt32LE(at);
      return {
        type,
        flags: table.readUInt32LE(at + program.flags),
        offset: word(program.offset),
        // The stack's and other notes need not be addresses; they are not looked at.
        address: type === PT_LOAD || type === PT_DYNAMIC ? word(program.address) : 0,
        fileSize: word(program.fileSize),
        memorySize: type === PT_LOAD ? word(program.memorySize) : 0,
        alignment: type === PT_LOAD ? word(program.align) : 0,
      };
    });
  }

  /** End of the last loaded segment in the file, bytes. */
  #loadEnd(programs: readonly Program[]): number {
    let end = 0;
    for (const [index, { type, offset, fileSize }] of programs.entries()) {
      if (type !== PT_LOAD) continue;
      if (offset + fileSize > this.#fileSize) {
        throw this.#malformed(
          `segment ${index} ends outside the file`,
          `at most ${this.#fileSize}`,
          offset + fileSize,
        );
      }
      end = Math.max(end, offset + fileSize);
    }
    return end;
  }

  async #table(offset: number, count: number, entryBytes: number, what: string): Promise<Buffer> {
    const size = count * entryBytes;
    if (size > MAX_TABLE_BYTES) {
      throw this.#malformed(`the ${what} is too large`, `at most ${MAX_TABLE_BYTES}`, size);
    }
    return this.#bytes(offset, size, what);
  }

  async #bytes(offset: number, size: number, what: string): Promise<Buffer> {
    if (offset + size > this.#fileSize) {
      throw this.#malformed(
        `the ${what} ends outside the file`,
        `a file of at least ${offset + size} bytes`,
        `${this.#fileSize} bytes`,
      );
    }
    const buffer = Buffer.alloc(size);
    for (let done = 0; done < size; ) {
      const { bytesRead } = await this.#handle
        .read(buffer, done, size - done, offset + done)
        .catch(errors.readingFailed(this.#file));
      if (bytesRead === 0) throw this.#malformed(`the ${what} is cut short`, size, done);
      done += bytesRead;
    }
    return buffer;
  }

  /** An address-sized field. Numbers above 2^53 lie outside every file, so they are refused. */
  #word(buffer: Buffer, at: number, layout: Layout, what: string): number {
    if (!layout.wide) return buffer.readUInt32LE(at);
    const value = buffer.readBigUInt64LE(at);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw this.#malformed(`${what} lies outside every file`, "less than 2^53", `${value}`);
    }
    return Number(value);
  }

  #malformed(what: string, expected: number | string, actual: number | string): Error {
    return errors.elfMalformed(this.#file, what, { expected: `${expected}`, actual: `${actual}` });
  }
}
