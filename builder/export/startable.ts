/** Whether the program of a bundle can start where nothing else is than its own files. */
import { LINE_MAX, parseShebang } from "../app/plain/shebang.ts";
import type { DumpEntry } from "../dump/dump-entry.ts";
import { followPath } from "../dump/follow-path.ts";
import { readDynamicBytes } from "../elf/dynamic.ts";
import { hasElfMagic } from "../elf/read.ts";
import * as errors from "../errors.ts";
import { byteString, displayPath } from "../tree/path.ts";
import type { StartConfig } from "./start-config.ts";

/** As deep as the kernel follows interpreters of interpreters. */
const DEPTH = 5;

/** Bytes of a program that is looked into, all of which are in memory then. A browser has a quarter of it. */
const PROGRAM_MAX = 1 << 30;

/** What is started. */
export interface Started {
  /** Absolute path; or a name without a slash, which is looked for in `path`. */
  program: string;
  /** Value of the variable PATH; empty where there is none. */
  path: string;
}

/** What a config starts, before a caller says something else; undefined: nothing. */
export function startedBy({ Entrypoint, Cmd, Env }: StartConfig): Started | undefined {
  const program = Entrypoint?.[0] ?? Cmd?.[0];
  const path = Env?.find((one) => one.startsWith("PATH="))?.slice("PATH=".length) ?? "";
  return program === undefined ? undefined : { program, path };
}

/**
 * @param entries of the whole root file system
 * @throws E_EXPORT_LIBC where something is missing that the kernel needs to start it, E_EXPORT_INPUT for a program
 *   that is too large to look into
 */
export async function requireStartable(
  entries: readonly DumpEntry[],
  { program, path }: Started,
): Promise<void> {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  let name = byteString(program);
  if (!name.includes("/")) name = searched(byPath, name, path) ?? name;
  let asks = "the bundle starts it";
  for (let depth = 0; depth < DEPTH; depth++) {
    const entry = followPath(byPath, name);
    if (entry?.file === undefined) throw errors.exportLibc(displayPath(name), asks);
    const needed = await neededBy(entry, entry.file);
    if (needed === undefined) return;
    asks = `${displayPath(name)} needs it`;
    name = byteString(needed);
  }
}

/**
 * Where a program is.
 *
 * @returns absolute; undefined: a name is nowhere there
 */
export function programPath(
  entries: readonly DumpEntry[],
  { program, path }: Started,
): string | undefined {
  if (program.includes("/")) return program;
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const found = searched(byPath, byteString(program), path);
  return found && Buffer.from(found, "latin1").toString("utf8");
}

function searched(byPath: ReadonlyMap<string, DumpEntry>, name: string, path: string) {
  const places = path.split(":").map((dir) => `${byteString(dir)}/${name}`);
  return places.find((place) => followPath(byPath, place)?.kind === "file");
}

/** The interpreter of a script, or the dynamic linker of a program; undefined: it needs none. */
async function neededBy(
  { path }: DumpEntry,
  file: NonNullable<DumpEntry["file"]>,
): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  for await (const part of file.read()) {
    const head = parts.length === 0 ? Buffer.from(part) : undefined;
    if (head !== undefined && !hasElfMagic(head)) {
      return parseShebang(head.subarray(0, LINE_MAX))?.interpreter;
    }
    if (file.size > PROGRAM_MAX) {
      const what = `is a program of ${file.size} bytes, and at most ${PROGRAM_MAX} are looked into`;
      throw errors.exportInput(displayPath(path), what);
    }
    parts.push(Buffer.from(part));
  }
  const bytes = Buffer.concat(parts);
  if (!hasElfMagic(bytes)) return undefined;
  const { interpreter, ownLoader } = await readDynamicBytes(bytes, displayPath(path));
  // One that brings its own takes that where the machine has none.
  return ownLoader === undefined ? interpreter : undefined;
}
