/** What --explain and warnings say about libraries. */

import path from "node:path";
import { everyTarget } from "../generated/spec.ts";
import { type Warning, type WarningCode, warning } from "../warnings.ts";
import { type ElfObject, isMuslLinker, isProgram, LIBRARY_NAME } from "./elf-objects.ts";
import { isEverywhere } from "./host-libraries.ts";
import { thisGlibc } from "./libc/this-glibc.ts";
import type { Closure } from "./library-closure.ts";
import type { Opening } from "./opened-constants.ts";

export interface LibraryReport {
  explain: readonly string[];
  warnings: readonly Warning[];
}

/**
 * Newer versions than this are worth a warning: that of Debian 11 and Ubuntu 20.04, the oldest
 * distributions that are still looked after, or the one that every target is said to have.
 */
function oldestGlibc(declared: readonly string[]): number[] {
  const [, version = everyTarget.glibc] =
    declared.map((one) => /^glibc-([0-9.]+)$/.exec(one)).find((found) => found !== null) ?? [];
  return version.split(".").map(Number);
}

export interface ReportOptions {
  openings: readonly Opening[];
  /** Whether libraries of this machine are packed. */
  packs: boolean;
  /** What every target has, as the user says. */
  declared?: readonly string[] | undefined;
  /** Each libc that goes along, and the programs that are started by it. */
  libcs?: readonly { kind: "glibc" | "musl"; programs: readonly ElfObject[] }[] | undefined;
  /** Whether an absolute path leads to a file of the image at every start. */
  isPlaced(file: string): boolean;
}

export function describeLibraries(
  closure: Closure,
  objects: readonly ElfObject[],
  { openings, packs, declared = [], libcs = [], isPlaced }: ReportOptions,
): LibraryReport {
  const explain: string[] = [];
  const warnings: Warning[] = [];
  const warn = (code: WarningCode, message: string) => warnings.push(warning(code, message));
  const started = new Set(libcs.flatMap(({ programs }) => programs));
  /** Whether no program is left to a libc that the target has to have. */
  const closed = libcs.length > 0 && objects.every((one) => !isProgram(one) || started.has(one));
  describeLinkers(objects, { started, isPlaced }, explain, warnings);
  const oldest = oldestGlibc(declared);
  describeVersions(closure, objects, { packs, oldest, closed }, explain, warnings);
  const packed = [...closure.packed].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, object, neededBy } of packed) {
    const how = packs
      ? `packed from ${object.file}, ${object.facts.elf.endOffset} bytes`
      : "the target's, --with-libs would pack it";
    explain.push(`library: ${name}, for ${neededBy}: ${how}`);
  }
  for (const [name, { reason, neededBy, family }] of [...closure.target].sort(byName)) {
    const whose =
      closed && family === "libc" ? "of the libc in use" : `the target's, because ${reason}`;
    explain.push(`library: ${name}, for ${neededBy}: ${whose}`);
  }
  const opener = closed ? "of the libc in use" : "the target's";
  for (const [library, { neededBy, reason }] of [...closure.opened].sort(byName)) {
    explain.push(`opened by glibc: ${library}, for ${neededBy}: ${opener}, because ${reason}`);
  }
  for (const { shown, names } of openings) {
    explain.push(`may be opened by ${shown}: ${names.join(", ")}`);
  }
  if (!packs && packed.length > 0) {
    const names = [...new Set(packed.map(({ name }) => name))].join(", ");
    warn("W_LIBRARY_TARGET", `the target must have ${names}; --with-libs packs them`);
  }
  for (const { name, neededBy } of closure.missing) {
    warn("W_LIBRARY_MISSING", `${neededBy} needs ${name}, which is not on this machine either`);
  }
  for (const [asking, found] of packs ? [] : closure.unled) {
    // A library may count on the program that loads it; a program has only itself.
    for (const { path: at, facts, shown } of isProgram(asking) ? found.values() : []) {
      if (at === undefined) continue;
      const name = facts.soname ?? path.posix.basename(shown);
      warn(
        "W_LIBRARY_UNLED",
        `${asking.shown} needs ${name}, and no search path of its own leads to ${shown}; ` +
          "--with-libs gives it one",
      );
    }
  }
  for (const [asking, names] of packs ? [] : closure.renamed) {
    for (const name of names.keys()) {
      const message = `${asking.shown} needs ${name} by this path, which the target must have`;
      warn("W_LIBRARY_PATH", `${message}; --with-libs lets it ask for the name`);
    }
  }
  const found = started.size > 0 ? ONLY_BY_OWN : "";
  warnings.push(
    ...targetWarnings(closure, found),
    ...openingWarnings(closure, openings, { closed, found }),
  );
  return { explain, warnings };
}

/** What is to be known of a library of the target where a libc goes along. */
const ONLY_BY_OWN = "; a packed libc does not find it there";

/**
 * Libraries that not every machine has and that are never packed, unless --lib says so.
 *
 * @param found what is to be said of how they are found
 */
export function targetWarnings({ target }: Pick<Closure, "target">, found = ""): Warning[] {
  const byReason = new Map<string, string[]>();
  for (const [name, library] of [...target].sort(byName)) {
    const { reason, neededBy } = library;
    if (isEverywhere(library)) continue;
    const names = byReason.get(reason) ?? [];
    names.push(`${name} (for ${neededBy})`);
    byReason.set(reason, names);
  }
  return [...byReason].map(([reason, names]) =>
    warning("W_LIBRARY_HOST", `the target must have ${names.join(", ")}: ${reason}${found}`),
  );
}

function openingWarnings(
  { opened }: Closure,
  openings: readonly Opening[],
  { closed, found }: { closed: boolean; found: string },
): Warning[] {
  const fromGlibc = [...opened].filter(([, { unled }]) => unled && !closed);
  return [
    ...fromGlibc.map(([library, { neededBy }]) =>
      warning("W_LIBRARY_OPENED", `the target must have ${library}, for ${neededBy}`),
    ),
    ...openings.map(({ shown, names }) =>
      warning(
        "W_LIBRARY_OPENED",
        `${shown} may open ${names.join(", ")} itself, which the target must have then${found}`,
      ),
    ),
  ];
}

/** @param started programs that are started by a libc that goes along */
function describeLinkers(
  objects: readonly ElfObject[],
  { started, isPlaced }: { started: ReadonlySet<ElfObject> } & Pick<ReportOptions, "isPlaced">,
  explain: string[],
  warnings: Warning[],
): void {
  const own = [...started].map(({ facts }) => facts.interpreter);
  for (const interpreter of new Set(own)) {
    explain.push(`dynamic linker: ${interpreter} of the target, or the packed one`);
  }
  const others = objects.filter((object) => !started.has(object));
  for (const interpreter of new Set(others.map(({ facts }) => facts.interpreter))) {
    if (interpreter === undefined) continue;
    if (isPlaced(interpreter)) {
      explain.push(`dynamic linker: ${interpreter}, which is in the image`);
      continue;
    }
    explain.push(`dynamic linker: ${interpreter}, the target's`);
    if (isMuslLinker(interpreter)) {
      const message = `programs here need musl (${interpreter}), which most distributions do not have`;
      warnings.push(warning("W_LINKER", message));
      continue;
    }
    if (/^\/lib(32|64)?\/ld-[a-z0-9_-]+\.so\.[0-9]+$/.test(interpreter)) continue;
    const message = `programs here are started by ${interpreter}, which is at this path on few machines`;
    warnings.push(warning("W_LINKER", message));
  }
  for (const { shown, facts } of objects.filter((object) => !isProgram(object))) {
    const isLibrary = facts.soname !== undefined || LIBRARY_NAME.test(shown);
    if (facts.needed.length === 0 && !isLibrary) explain.push(`${shown}: linked statically`);
  }
}

/** Whether a library that an object asks for is one of the image: what a plugin asks for, its programs have. */
function imageLibraries({ inImage }: Closure, objects: readonly ElfObject[]) {
  const programs = objects.filter(isProgram);
  const has = (object: ElfObject, library: string) => inImage.get(object)?.get(library);
  return (object: ElfObject, library: string): boolean => {
    const own = has(object, library);
    if (own === true || isProgram(object)) return own === true;
    const asking = programs.map((program) => has(program, library));
    return asking.some((one) => one === true) && !asking.includes(false);
  };
}

/** The newest version of each library of the target that something packed asks for. */
function describeVersions(
  closure: Closure,
  objects: readonly ElfObject[],
  { packs, oldest, closed }: { packs: boolean; oldest: readonly number[]; closed: boolean },
  explain: string[],
  warnings: Warning[],
): void {
  const newest = new Map<string, { version: string; numbers: number[]; shown: string }>();
  const own = packs ? closure.packed : [];
  const all = [...objects, ...own.map(({ object }) => object)];
  const isInImage = imageLibraries(closure, objects);
  for (const object of all) {
    const { facts, shown } = object;
    for (const { library, version } of facts.versions) {
      if (own.some(({ name }) => name === library) || isInImage(object, library)) continue;
      if (version === "GLIBC_PRIVATE" && closed) continue;
      if (version === "GLIBC_PRIVATE") {
        const message = `${shown} uses what is private to this machine's ${library}`;
        warnings.push(warning("W_LIBRARY_PRIVATE", message));
        continue;
      }
      // DT_RELR came with glibc 2.36; programs with it ask for this name instead of a number.
      const [, name, text] = /^(.+)_([0-9.]+)$/.exec(
        version === "GLIBC_ABI_DT_RELR" ? "GLIBC_2.36" : version,
      ) ?? [undefined, undefined, undefined];
      if (name === undefined || text === undefined) continue;
      const numbers = text.split(".").map(Number);
      const key = name === "GLIBC" ? "glibc" : library;
      const known = newest.get(key);
      if (known === undefined || compare(numbers, known.numbers) > 0) {
        newest.set(key, { version: `${name}_${text}`, numbers, shown });
      }
    }
  }
  for (const [library, { version, numbers, shown }] of [...newest].sort(byName)) {
    const whose = library === "glibc" && closed ? "" : " of the target";
    explain.push(`version: ${library}${whose} with ${version} or newer, for ${shown}`);
    if (library === "glibc" && !closed && compare(numbers, oldest) > 0) {
      const here = thisGlibc();
      const also = here === undefined ? "" : `, this machine has ${here}`;
      const message =
        `${shown} needs ${version}, and does not start with an older glibc: ` +
        `every target is taken to have ${oldest.join(".")}${also}`;
      warnings.push(warning("W_GLIBC_VERSION", message));
    }
  }
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) =>
  a < b ? -1 : 1;
