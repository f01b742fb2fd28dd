/** What the files of an image ask of glibc: the names of versions that its libraries must define. */
import type { ElfObject } from "../elf-objects.ts";
import { hostLibrary } from "../host-libraries.ts";

export interface NeededVersion {
  /** As `GLIBC_2.34`, or `GLIBC_ABI_DT_RELR`. */
  version: string;
  /** Library of glibc that must define it. */
  library: string;
  /** Who asks, as messages name it. */
  shown: string;
}

/** What only the libraries of one and the same glibc may ask each other for. */
const PRIVATE = "GLIBC_PRIVATE";

/** Every version of glibc that objects ask for, each name and library once. */
export function neededVersions(objects: readonly ElfObject[]): NeededVersion[] {
  const found = new Map<string, NeededVersion>();
  for (const { facts, shown } of objects) {
    for (const { library, version } of facts.versions) {
      if (!version.startsWith("GLIBC_") || hostLibrary(library)?.family !== "libc") continue;
      const key = `${library} ${version}`;
      if (!found.has(key)) found.set(key, { version, library, shown });
    }
  }
  return [...found.values()];
}

/** Who works with this machine's glibc alone, and with no other of the same version. */
export const privateUser = (needed: readonly NeededVersion[]) =>
  needed.find(({ version }) => version === PRIVATE);

/** The numbers of `GLIBC_2.34`; undefined for what is no number. */
export function numbersOf(version: string): number[] | undefined {
  const [, text] = /^GLIBC_([0-9]+(?:\.[0-9]+)*)$/.exec(version) ?? [];
  return text?.split(".").map(Number);
}

/** Below zero when the first is the older one. */
export function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The newest of the versions with numbers. */
export function newest(versions: readonly string[]): string | undefined {
  const numbered = versions.flatMap((version) => {
    const numbers = numbersOf(version);
    return numbers === undefined ? [] : [{ version, numbers }];
  });
  return numbered.sort((a, b) => compareNumbers(a.numbers, b.numbers)).at(-1)?.version;
}

/**
 * What a libc.so.6 must define to do for all that is needed: the newest version, and what has a name.
 *
 * Not every version of glibc stands in its libc.so.6, so the next one that does is asked for.
 *
 * @param defined what the packed libc.so.6 defines
 */
export function versionsToAsk(
  needed: readonly NeededVersion[],
  defined: readonly string[],
): string[] {
  const names = [...new Set(needed.map(({ version }) => version))];
  const wanted = numbersOf(newest(names) ?? "");
  const enough = defined.filter((version) => {
    const numbers = numbersOf(version);
    return numbers !== undefined && wanted !== undefined && compareNumbers(numbers, wanted) >= 0;
  });
  const [first] = enough.sort((a, b) =>
    compareNumbers(numbersOf(a) as number[], numbersOf(b) as number[]),
  );
  const named = names.filter((name) => name !== PRIVATE && numbersOf(name) === undefined);
  return [...(first === undefined ? [] : [first]), ...named.sort()];
}
