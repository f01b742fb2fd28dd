/**
 * Names of libraries among the constants of an ELF file: what it may hand to dlopen.
 *
 * A guess, and treated as one: names that are put together at run time are not seen, and a name that is
 * seen need not be used. Rust and Go keep texts without an end, one behind the other, so a name is looked
 * for in the middle of what surrounds it.
 */
import type { FileHandle } from "node:fs/promises";
import type { DynamicFacts } from "./dynamic.ts";
import { PT_LOAD } from "./read.ts";

/** Who has none of these opens no library by himself. */
const OPENERS = ["dlopen", "dlmopen"];

const PF_X = 1;
const PF_W = 2;
/** Bytes that are read at once, and longest name. */
const CHUNK = 1 << 20;
const MAX_NAME = 256;

/** What stands before ".so" in a name, up to the end, and behind it. */
const BEFORE = /(?<![A-Za-z_%])lib[A-Za-z0-9_+-](?:(?!\.so)[A-Za-z0-9_+.-])*$/;
const BEHIND = /^\.so(?:(?:\.[0-9]+)+|(?![A-Za-z0-9_-]))/;

/** Names in order, without those that the file needs anyway and its own. */
export async function openedNames(handle: FileHandle, facts: DynamicFacts): Promise<string[]> {
  if (!OPENERS.some((name) => facts.undefinedSymbols.has(name))) return [];
  const found = new Set<string>();
  // Constants are where nothing is written, and beside code only where linkers put both into one segment.
  const fixed = facts.elf.programs.filter(
    ({ type, flags }) => type === PT_LOAD && (flags & PF_W) === 0,
  );
  const apart = fixed.filter(({ flags }) => (flags & PF_X) === 0);
  const chunk = Buffer.allocUnsafe(CHUNK);
  for (const { offset, fileSize } of apart.length > 0 ? apart : fixed) {
    for (let at = 0; at < fileSize; at += CHUNK - MAX_NAME) {
      const { bytesRead } = await handle.read(
        chunk,
        0,
        Math.min(CHUNK, fileSize - at),
        offset + at,
      );
      const bytes = chunk.subarray(0, bytesRead);
      blank(bytes, offset + at, facts.strings);
      for (const name of namesIn(bytes)) found.add(name);
    }
  }
  for (const name of [...facts.needed, facts.soname ?? ""]) found.delete(name);
  return [...found].sort();
}

function* namesIn(bytes: Buffer): Generator<string> {
  for (let at = bytes.indexOf(".so"); at >= 0; at = bytes.indexOf(".so", at + 1)) {
    // Most are of other words: .sort, .source, .some.
    if (/[a-z]/i.test(String.fromCharCode(bytes[at + 3] ?? 0))) continue;
    const [start] = BEFORE.exec(bytes.toString("latin1", Math.max(0, at - MAX_NAME), at)) ?? [];
    const [end] = BEHIND.exec(bytes.toString("latin1", at, at + MAX_NAME)) ?? [];
    if (start !== undefined && end !== undefined) yield start + end;
  }
}

/** Takes the string table, which has the names of needed libraries, out of what was read at `start`. */
function blank(bytes: Buffer, start: number, strings: { offset: number; size: number }): void {
  const from = Math.max(0, strings.offset - start);
  const to = Math.min(bytes.length, strings.offset + strings.size - start);
  if (from < to) bytes.fill(0, from, to);
}
