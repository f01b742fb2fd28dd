/**
 * Reads what an ELF file asks of the dynamic linker.
 *
 * Only segments are looked at, as the dynamic linker does: section headers may be stripped. The file
 * comes from anyone, so every address is checked before it is followed.
 * Format: System V ABI, chapter 5; symbol versions: LSB core, "Symbol Versioning".
 */
import type { FileHandle } from "node:fs/promises";
import * as errors from "../errors.ts";
import {
  DESCRIPTION_BYTES,
  decodeOwnLoader,
  type OwnLoader,
  ownLoaderLength,
} from "./own-loader-description.ts";
import {
  type ElfFile,
  PT_DYNAMIC,
  PT_INTERP,
  PT_LOAD,
  readElf,
  readElfBytes,
  type Source,
  sourceOf,
} from "./read.ts";
import { undefinedSymbols } from "./symbols.ts";

/** Tags of the dynamic section. */
export const DT = {
  NULL: 0,
  NEEDED: 1,
  HASH: 4,
  STRTAB: 5,
  SYMTAB: 6,
  STRSZ: 10,
  SONAME: 14,
  RPATH: 15,
  RUNPATH: 29,
  PREINIT_ARRAY: 32,
  PREINIT_ARRAYSZ: 33,
  GNU_HASH: 0x6ffffef5,
  FLAGS_1: 0x6ffffffb,
  VERSYM: 0x6ffffff0,
  VERDEF: 0x6ffffffc,
  VERDEFNUM: 0x6ffffffd,
  VERNEED: 0x6ffffffe,
  VERNEEDNUM: 0x6fffffff,
  AUXILIARY: 0x7ffffffd,
  FILTER: 0x7fffffff,
} as const;

/** A version of a library's symbols, as `GLIBC_2.34` of `libc.so.6`. */
interface NeededVersion {
  library: string;
  version: string;
}

/** A library that the dynamic linker asks for symbols before it asks the file itself. */
interface Filter {
  name: string;
  /** DT_AUXILIARY: when it is missing nobody complains. */
  optional: boolean;
}

export interface DynamicFacts {
  elf: ElfFile;
  /**
   * PT_INTERP: the dynamic linker. Programs have one, libraries mostly none. Of a program with a loader of
   * its own it is the host's, which PT_INTERP named before.
   */
  interpreter: string | undefined;
  /** How it finds a libc that is packed with it. */
  ownLoader: OwnLoader | undefined;
  /** DT_NEEDED in order, as they stand there. */
  needed: readonly string[];
  /** DT_FILTER and DT_AUXILIARY in order. */
  filters: readonly Filter[];
  soname: string | undefined;
  /** DT_RPATH and DT_RUNPATH, split at colons. */
  rpath: readonly string[];
  runpath: readonly string[];
  versions: readonly NeededVersion[];
  /** Versions that its own symbols have, by DT_VERDEF. */
  definedVersions: readonly string[];
  /** Address of the table that needed versions stand in. */
  versionTable: number | undefined;
  /** Names that others must define. Of 32-bit files none are read. */
  undefinedSymbols: ReadonlySet<string>;
  /** Where the names of all this stand in the file, bytes. */
  strings: { offset: number; size: number };
}

/** Tags of tables, one of which may stand behind the symbols. Those for initialisation and code are 12, 13, 25. */
const TABLES = [
  DT.HASH,
  DT.GNU_HASH,
  DT.STRTAB,
  DT.VERSYM,
  DT.VERNEED,
  DT.VERDEF,
  7,
  12,
  13,
  17,
  23,
  25,
  36,
];

/** Larger ones are no dynamic section, string table or path that exists. Bytes. */
const MAX_DYNAMIC_BYTES = 1 << 20;
const MAX_STRINGS_BYTES = 64 << 20;
const MAX_PATH_BYTES = 4096;
const MAX_VERSION_BYTES = 1 << 20;
const MAX_VERSIONS = 0x10000;

/**
 * Reads the dynamic section and what it leads to.
 *
 * @param file name for messages
 * @returns for a static program: no interpreter, nothing needed
 * @throws E_ELF_UNSUPPORTED, E_ELF_MALFORMED
 */
export async function readDynamic(handle: FileHandle, file: string): Promise<DynamicFacts> {
  return new DynamicReader(handle, file, await readElf(handle, file)).read();
}

/** `readDynamic` for a file that is in memory. */
export async function readDynamicBytes(bytes: Buffer, file: string): Promise<DynamicFacts> {
  return new DynamicReader(sourceOf(bytes), file, await readElfBytes(bytes, file)).read();
}

class DynamicReader {
  readonly #handle: Source;
  readonly #file: string;
  readonly #elf: ElfFile;

  constructor(handle: Source, file: string, elf: ElfFile) {
    this.#handle = handle;
    this.#file = file;
    this.#elf = elf;
  }

  async read(): Promise<DynamicFacts> {
    const entries = await this.#entries();
    const one = (tag: number) => entries.find((entry) => entry.tag === tag)?.value;
    const place = this.#stringsPlace(one(DT.STRTAB), one(DT.STRSZ));
    const strings = await this.#bytes(place.offset, place.size, "DT_STRTAB");
    const texts = (tag: number) =>
      entries.filter((entry) => entry.tag === tag).map(({ value }) => this.#text(strings, value));
    const paths = (tag: number) =>
      texts(tag).flatMap((text) => text.split(":").filter((dir) => dir !== ""));
    const own = await this.#ownLoader();
    return {
      elf: this.#elf,
      interpreter: own?.interpreter ?? (await this.#interpreter()),
      ownLoader: own?.own,
      needed: texts(DT.NEEDED),
      filters: entries
        .filter(({ tag }) => tag === DT.FILTER || tag === DT.AUXILIARY)
        .map(({ tag, value }) => ({
          name: this.#text(strings, value),
          optional: tag === DT.AUXILIARY,
        })),
      soname: texts(DT.SONAME)[0],
      rpath: paths(DT.RPATH),
      runpath: paths(DT.RUNPATH),
      versions: await this.#versions(one(DT.VERNEED), one(DT.VERNEEDNUM), strings),
      definedVersions: await this.#defined(one(DT.VERDEF), one(DT.VERDEFNUM), strings),
      versionTable: one(DT.VERNEED),
      undefinedSymbols: await this.#undefined(entries, strings),
      strings: place,
    };
  }

  async #interpreter(): Promise<string | undefined> {
    const segment = this.#elf.programs.find(({ type }) => type === PT_INTERP);
    if (segment === undefined) return undefined;
    if (segment.fileSize > MAX_PATH_BYTES) throw this.#malformed("PT_INTERP is too long");
    const bytes = await this.#bytes(segment.offset, segment.fileSize, "PT_INTERP");
    const end = bytes.indexOf(0);
    return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
  }

  /** The loader stub is the last segment. */
  async #ownLoader(): Promise<{ own: OwnLoader; interpreter: string } | undefined> {
    const load = this.#elf.programs.findLast(({ type }) => type === PT_LOAD);
    if (load === undefined || load.fileSize < DESCRIPTION_BYTES) return undefined;
    const head = await this.#bytes(load.offset, DESCRIPTION_BYTES, "the last segment");
    const length = ownLoaderLength(head);
    if (this.#elf.bits !== 64 || length === undefined) return undefined;
    const segment = await this.#bytes(load.offset, load.fileSize, "the loader stub");
    const found = decodeOwnLoader(segment);
    if (found === undefined) throw this.#malformed("the loader stub contradicts itself");
    return { own: found.own, interpreter: found.program.interpreter.path };
  }

  async #entries(): Promise<{ tag: number; value: number }[]> {
    const segment = this.#elf.programs.find(({ type }) => type === PT_DYNAMIC);
    if (segment === undefined) return [];
    if (segment.fileSize > MAX_DYNAMIC_BYTES) throw this.#malformed("PT_DYNAMIC is too large");
    const bytes = await this.#bytes(segment.offset, segment.fileSize, "PT_DYNAMIC");
    const entries: { tag: number; value: number }[] = [];
    for (const { tag, value } of dynamicEntries(bytes, this.#elf.bits)) {
      if (tag === DT.NULL) break;
      entries.push({ tag, value });
    }
    return entries;
  }

  #stringsPlace(address: number | undefined, size = 0): DynamicFacts["strings"] {
    if (address === undefined) return { offset: 0, size: 0 };
    if (size > MAX_STRINGS_BYTES) throw this.#malformed("DT_STRSZ is too large");
    const { offset, available } = this.#place(address, "DT_STRTAB");
    if (size > available) throw this.#malformed("DT_STRTAB ends outside its segment");
    return { offset, size };
  }

  async #undefined(
    entries: readonly { tag: number; value: number }[],
    strings: Buffer,
  ): Promise<ReadonlySet<string>> {
    const one = (tag: number) => entries.find((entry) => entry.tag === tag)?.value;
    const at = (address: number | undefined) =>
      address === undefined ? undefined : fileOffset(this.#elf, address);
    const address = one(DT.SYMTAB);
    const symbols = at(address);
    if (address === undefined || symbols === undefined || this.#elf.bits !== 64) return new Set();
    const above = TABLES.flatMap((tag) => one(tag) ?? []).filter((table) => table > address);
    const toNext = Math.min(...above.map((table) => table - address));
    const tables = { symbols, hash: at(one(DT.HASH)), toNext };
    return undefinedSymbols(this.#handle, tables, strings);
  }

  #text(strings: Buffer, start: number): string {
    const end = strings.indexOf(0, start);
    if (start >= strings.length || end < 0) {
      throw this.#malformed("a name of the dynamic section lies outside DT_STRTAB");
    }
    return strings.toString("utf8", start, end);
  }

  async #versions(
    address: number | undefined,
    count: number | undefined,
    strings: Buffer,
  ): Promise<NeededVersion[]> {
    if (address === undefined) return [];
    const { offset, available } = this.#place(address, "DT_VERNEED");
    const size = Math.min(available, MAX_VERSION_BYTES);
    const table = await this.#bytes(offset, size, "DT_VERNEED");
    const versions: NeededVersion[] = [];
    const entry = (at: number) => {
      if (at + 16 > table.length) throw this.#malformed("DT_VERNEED ends outside its segment");
      return table.subarray(at, at + 16);
    };
    for (let at = 0, left = count ?? 0; left > 0; left--) {
      const need = entry(at);
      const library = this.#text(strings, need.readUInt32LE(4));
      let aux = at + need.readUInt32LE(8);
      for (let more = need.readUInt16LE(2); more > 0; more--) {
        const version = entry(aux);
        versions.push({ library, version: this.#text(strings, version.readUInt32LE(8)) });
        // Entries may share bytes; a claimed count must not make a list without end of them.
        if (versions.length > MAX_VERSIONS)
          throw this.#malformed("DT_VERNEED has too many entries");
        const next = version.readUInt32LE(12);
        if (next === 0) break;
        aux += next;
      }
      const next = need.readUInt32LE(12);
      if (next === 0) break;
      at += next;
    }
    return versions;
  }

  async #defined(
    address: number | undefined,
    count: number | undefined,
    strings: Buffer,
  ): Promise<string[]> {
    if (address === undefined) return [];
    const { offset, available } = this.#place(address, "DT_VERDEF");
    const size = Math.min(available, MAX_VERSION_BYTES);
    const table = await this.#bytes(offset, size, "DT_VERDEF");
    const versions: string[] = [];
    for (let at = 0, left = Math.min(count ?? 0, MAX_VERSIONS); left > 0; left--) {
      // Elf64_Verdef, and the first Elf64_Verdaux that it leads to: the others are its predecessors.
      const aux = at + 20 <= table.length ? at + table.readUInt32LE(at + 12) : table.length;
      if (aux + 8 > table.length) throw this.#malformed("DT_VERDEF ends outside its segment");
      versions.push(this.#text(strings, table.readUInt32LE(aux)));
      const next = table.readUInt32LE(at + 16);
      if (next === 0) break;
      at += next;
    }
    return versions;
  }

  /** Where in the file an address is, and the bytes of its segment from there. */
  #place(address: number, what: string): { offset: number; available: number } {
    const place = fileOffset(this.#elf, address);
    if (place === undefined) throw this.#malformed(`${what} is in no segment`);
    return place;
  }

  async #bytes(offset: number, size: number, what: string): Promise<Buffer> {
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await this.#handle
      .read(bytes, 0, size, offset)
      .catch(errors.readingFailed(this.#file));
    if (bytesRead < size) throw this.#malformed(`${what} ends outside the file`);
    return bytes;
  }

  #malformed(what: string): Error {
    return errors.elfMalformed(this.#file, what);
  }
}

/** Where an address of a loaded segment is in the file; undefined where there are no bytes for it. */
export function fileOffset(
  elf: ElfFile,
  address: number,
): { offset: number; available: number } | undefined {
  const segment = elf.programs.find(
    (program) =>
      program.type === PT_LOAD &&
      address >= program.address &&
      address < program.address + program.fileSize,
  );
  if (segment === undefined) return undefined;
  const into = address - segment.address;
  return { offset: segment.offset + into, available: segment.fileSize - into };
}

/**
 * The entries of a dynamic section, those behind DT_NULL too; `at` is where each stands, bytes.
 * Values that no address can have become Infinity.
 */
export function* dynamicEntries(
  bytes: Buffer,
  bits: 32 | 64,
): Generator<{ at: number; tag: number; value: number }> {
  const size = bits / 4;
  for (let at = 0; at + size <= bytes.length; at += size) {
    const word = (position: number) =>
      bits === 32 ? bytes.readUInt32LE(position) : Number(bytes.readBigUInt64LE(position));
    const value = word(at + size / 2);
    yield { at, tag: word(at), value: Number.isSafeInteger(value) ? value : Infinity };
  }
}
