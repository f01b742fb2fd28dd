/**
 * Puts a manifest into the runtime ELF and makes its section header table end where the image
 * starts.
 *
 * Readers of ELF+squashfs files find the image by different rules: the end of the section header
 * table (go-appimage, nixpkgs), or the end of everything (the AppImage runtime, this project). They
 * agree when the table is the last thing of the ELF and ends on the image's page boundary.
 * Segments and their headers stay where they are, so the program itself is not touched.
 */
import * as errors from "../errors.ts";
import { manifestFormat } from "../generated/spec.ts";
import { alignImage, type ElfFile } from "./read.ts";

/** A runtime as `readRuntime` hands it out. */
export interface RuntimeElf {
  /** The whole file. */
  bytes: Buffer;
  elf: ElfFile;
  file: string;
}

const SHOFF_FIELD = 40;
const SECTION_OFFSET_FIELD = 24;
const SECTION_SIZE_FIELD = 32;
const SECTION_ALIGNMENT = 8;

const alignSection = (offset: number) => Math.ceil(offset / SECTION_ALIGNMENT) * SECTION_ALIGNMENT;

/** Bytes of the runtime that are kept: all, or all before a section header table that is last. */
export function keptBytes({ bytes, elf }: RuntimeElf): number {
  const { offset, entryBytes, count } = elf.sectionTable;
  return offset + entryBytes * count === bytes.length ? offset : bytes.length;
}

function manifestSection({ elf, file }: RuntimeElf): number {
  if (elf.bits !== 64) {
    throw errors.elfUnsupported(file, "a runtime is a 64-bit ELF file", { actual: "32-bit" });
  }
  const index = elf.sections.findIndex(({ name }) => name === manifestFormat.section);
  if (index < 0) {
    throw errors.elfMalformed(file, `the runtime has no section ${manifestFormat.section}`);
  }
  return index;
}

/**
 * Where the image starts when the manifest has at most `manifestBytes` bytes.
 *
 * @returns bytes from the start of the file, a multiple of 4096
 */
export function imageOffsetFor(runtime: RuntimeElf, manifestBytes: number): number {
  const { entryBytes, count } = runtime.elf.sectionTable;
  const manifestEnd = alignSection(keptBytes(runtime)) + manifestBytes;
  return alignImage(alignSection(manifestEnd) + entryBytes * count);
}

/**
 * Everything that stands before the image.
 *
 * @param imageOffset bytes, from `imageOffsetFor` with at least this manifest's size
 * @returns exactly `imageOffset` bytes
 * @throws E_ELF_MALFORMED when the runtime has no section for a manifest
 */
export function assemble(runtime: RuntimeElf, manifest: Uint8Array, imageOffset: number): Buffer {
  const index = manifestSection(runtime);
  const { offset: tableStart, entryBytes, count } = runtime.elf.sectionTable;
  const kept = keptBytes(runtime);
  const manifestStart = alignSection(kept);
  const tableBytes = entryBytes * count;
  const newTable = imageOffset - tableBytes;
  if (manifestStart + manifest.length > newTable) {
    throw errors.internal(new Error("the manifest does not fit before the image"));
  }
  const out = Buffer.alloc(imageOffset);
  runtime.bytes.copy(out, 0, 0, kept);
  out.set(manifest, manifestStart);
  runtime.bytes.copy(out, newTable, tableStart, tableStart + tableBytes);
  const header = newTable + index * entryBytes;
  out.writeBigUInt64LE(BigInt(manifestStart), header + SECTION_OFFSET_FIELD);
  out.writeBigUInt64LE(BigInt(manifest.length), header + SECTION_SIZE_FIELD);
  out.writeBigUInt64LE(BigInt(newTable), SHOFF_FIELD);
  return out;
}
