/** The sections that every runtime keeps free for what is known only once it is a bundle. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { ElfFile, Section } from "../elf/read.ts";
import * as errors from "../errors.ts";
import { appimageFormat } from "../generated/spec.ts";

/** Update information: text, NUL padded. */
export const UPDATE_INFO = appimageFormat.sections.updateInfo;
/** Armored OpenPGP signature, NUL padded. */
export const SIGNATURE = appimageFormat.sections.signature;
/** Armored OpenPGP public key, NUL padded. */
export const KEY = appimageFormat.sections.key;

const CHUNK = 1 << 20;

const NOBITS = 8;

/** Longer sections hold no text of ours; the size is a claim of the file's. Bytes. */
const TEXT_LIMIT = 1 << 20;

/** The section with its bytes in the file; undefined where the ELF has none. */
export function findSection(elf: ElfFile, name: string): Section | undefined {
  return elf.sections.find((section) => section.name === name && section.type !== NOBITS);
}

/** @throws E_ELF_UNSUPPORTED when the ELF has no such section */
export function requireSection(elf: ElfFile, name: string, file: string): Section {
  const section = findSection(elf, name);
  if (section !== undefined) return section;
  throw errors.elfUnsupported(file, `its runtime has no section ${name}`, {
    expected: "a runtime of an AppImage, as this version of bundle makes it",
  });
}

/** The text of a section up to its first NUL; "" for a section that is empty. */
export async function readText(handle: FileHandle, section: Section): Promise<string> {
  const bytes = Buffer.alloc(Math.min(section.size, TEXT_LIMIT));
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, section.offset);
  const text = bytes.subarray(0, bytesRead);
  const end = text.indexOf(0);
  return text.toString("utf8", 0, end < 0 ? text.length : end);
}

/** The bytes of a section that holds `text` and zeros behind it. */
export function paddedText(text: string, section: Section): Buffer {
  const bytes = Buffer.alloc(section.size);
  bytes.write(text);
  return bytes;
}

/**
 * What a signature of an AppImage is made over: SHA-256 of the file, read as if signature and key
 * were zeros.
 *
 * @returns lower-case hexadecimal digits, which are what is signed
 */
export async function signedDigest(
  handle: FileHandle,
  elf: ElfFile,
  file: string,
): Promise<string> {
  const holes = [SIGNATURE, KEY].map((name) => requireSection(elf, name, file));
  const { size } = await handle.stat();
  const hash = createHash("sha256");
  const chunk = Buffer.alloc(CHUNK);
  for (let offset = 0; offset < size; ) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, offset);
    if (bytesRead === 0) throw errors.fileChanged(file, "it became shorter");
    for (const hole of holes) {
      const start = Math.max(0, hole.offset - offset);
      const end = Math.min(bytesRead, hole.offset + hole.size - offset);
      if (start < end) chunk.fill(0, start, end);
    }
    hash.update(chunk.subarray(0, bytesRead));
    offset += bytesRead;
  }
  return hash.digest("hex");
}
