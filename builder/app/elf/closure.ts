/** All libraries that the programs of a tree load at their start, and where each comes from. */
import path from "node:path";
import * as errors from "../../errors.ts";
import { type HostLibrary, hostLibrary } from "./host-libraries.ts";
import { type Found, type Linker, shownFolders } from "./linker.ts";
import { type ElfObject, isProgram } from "./objects.ts";

/** Where libraries of this machine go: a folder that no app has of its own accord. */
export const LIBRARY_FOLDER = "lib/bundled";

/** Families that do not work beside those of the target, not even when they are asked for. */
const NEVER_PACKED = ["libc", "nss"];

/** A library of this machine under the name that it is asked for. */
export interface PackedLibrary {
  name: string;
  object: ElfObject;
  neededBy: string;
}

export interface MissingLibrary {
  name: string;
  neededBy: string;
  /** Folders that were searched. */
  looked: readonly string[];
  /** False for a library that only a plugin of the tree needs, which may never be loaded. */
  required: boolean;
}

export interface Closure {
  /** From this machine, by name. */
  packed: Map<string, PackedLibrary>;
  /** Left to the target, by name. */
  target: Map<string, HostLibrary & { neededBy: string }>;
  missing: MissingLibrary[];
  /**
   * By the object that asks: folders of the tree that no search path of its own leads to, each with
   * a library in it that it asks for.
   */
  unled: Map<ElfObject, Map<string, ElfObject>>;
  /** Library, and who asks for it by its path. */
  byPath: { name: string; neededBy: string }[];
  /** One line for each name that means two libraries. */
  conflicts: string[];
}

/**
 * Follows DT_NEEDED from every program and plugin of the tree.
 *
 * @param opened what --lib names; each is a start of its own
 */
export async function findClosure(
  linker: Linker,
  roots: readonly ElfObject[],
  opened: readonly PackedLibrary[],
): Promise<Closure> {
  const closure: Closure = {
    packed: new Map(),
    target: new Map(),
    missing: [],
    unled: new Map(),
    byPath: [],
    conflicts: [],
  };
  for (const library of opened) takeAlong(closure, library);
  const programs = roots.filter(isProgram);
  const [program] = programs;
  // Programs first: what one of them needs is an error when it is missing.
  for (const root of programs) await follow(closure, linker, [root], true);
  for (const { object } of opened) {
    await follow(closure, linker, program ? [object, program] : [object], true);
  }
  for (const root of roots) {
    if (!isProgram(root)) await follow(closure, linker, [root], false);
  }
  return closure;
}

async function follow(
  closure: Closure,
  linker: Linker,
  start: readonly ElfObject[],
  required: boolean,
): Promise<void> {
  const loaded = new Map<string, Found>();
  const pending = [start];
  for (let chain = pending.shift(); chain !== undefined; chain = pending.shift()) {
    const [asking] = chain;
    for (const name of asking?.facts.needed ?? []) {
      const known = loaded.get(name);
      const found = known ?? (await linker.find(name, chain));
      record(closure, name, asking as ElfObject, found, required);
      if (known !== undefined) continue;
      loaded.set(name, found);
      if (found.kind !== "tree" && found.kind !== "machine") continue;
      const { soname } = found.object.facts;
      if (soname !== undefined && !loaded.has(soname)) loaded.set(soname, found);
      pending.push([found.object, ...chain]);
    }
  }
}

function record(
  closure: Closure,
  name: string,
  asking: ElfObject,
  found: Found,
  required: boolean,
): void {
  const neededBy = asking.shown;
  switch (found.kind) {
    case "tree":
      if (!found.led) unled(closure, asking).set(found.folder, found.object);
      return;
    case "machine":
      unled(closure, asking).set(LIBRARY_FOLDER, found.object);
      takeAlong(closure, { name, object: found.object, neededBy });
      return;
    case "target":
      // Unless --lib packs it.
      {
        const packed = closure.packed.get(name);
        if (packed !== undefined) unled(closure, asking).set(LIBRARY_FOLDER, packed.object);
        else if (!closure.target.has(name)) {
          closure.target.set(name, { ...found.library, neededBy });
        }
      }
      return;
    case "path":
      if (!closure.byPath.some((one) => one.name === name)) closure.byPath.push({ name, neededBy });
      return;
    case "missing":
      if (closure.missing.some((one) => one.name === name)) return;
      closure.missing.push({ name, neededBy, looked: found.looked, required });
  }
}

function unled(closure: Closure, asking: ElfObject): Map<string, ElfObject> {
  let folders = closure.unled.get(asking);
  if (folders === undefined) {
    folders = new Map();
    closure.unled.set(asking, folders);
  }
  return folders;
}

function takeAlong(closure: Closure, library: PackedLibrary): void {
  const known = closure.packed.get(library.name);
  if (known === undefined) closure.packed.set(library.name, library);
  else if (known.object.file !== library.object.file) {
    const { file } = known.object;
    const line =
      `${library.name} means ${file} for ${known.neededBy} and ${library.object.file} for ` +
      `${library.neededBy}; only the first is packed`;
    if (!closure.conflicts.includes(line)) closure.conflicts.push(line);
  }
}

/**
 * The libraries that --lib names: a path of this machine, or a name that ld.so would find.
 *
 * @throws E_LIBRARY_MISSING, E_LIBRARY_HOST
 */
export async function openedLibraries(
  linker: Linker,
  names: readonly string[],
  program: ElfObject | undefined,
): Promise<PackedLibrary[]> {
  const opened: PackedLibrary[] = [];
  for (const given of names) {
    const name = path.basename(given);
    const library = hostLibrary(name);
    if (library !== undefined && NEVER_PACKED.includes(library.family))
      throw errors.libraryHost(name, library.reason);
    const found = given.includes("/")
      ? await linker.at(path.resolve(given))
      : await linker.find(given, program ? [program] : [], true);
    if (found === undefined) throw errors.libraryMissing(given, "--lib", "that file");
    if (!("kind" in found)) opened.push({ name, object: found, neededBy: "--lib" });
    else if (found.kind === "machine") {
      opened.push({ name, object: found.object, neededBy: "--lib" });
    } else if (found.kind === "missing") {
      throw errors.libraryMissing(given, "--lib", shownFolders(found.looked));
    }
  }
  return opened;
}
