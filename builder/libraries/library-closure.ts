/** All libraries that the programs of a tree load at their start, and where each comes from. */
import path from "node:path";
import * as errors from "../errors.ts";
import { type ElfObject, isProgram } from "./elf-objects.ts";
import { type HostLibrary, hostLibrary } from "./host-libraries.ts";
import { type Found, type Linker, shownFolders } from "./linker.ts";

/** Where libraries of this machine go: a folder that no app has of its own accord. */
export const LIBRARY_FOLDER = "lib/bundled";

/** Families that do not work beside those of the target, not even when they are asked for. */
const NEVER_PACKED = ["libc", "nss"];

/** A library of this machine under the name that it is asked for. */
interface PackedLibrary {
  name: string;
  /** Where it goes: `LIBRARY_FOLDER`, or one below it where that name is another library already. */
  folder: string;
  object: ElfObject;
  neededBy: string;
}

/** A library that --lib names. */
export interface OpenedLibrary {
  name: string;
  object: ElfObject;
}

/** Who needs such a library, in messages. */
export const OPENED = "--lib";

interface MissingLibrary {
  name: string;
  neededBy: string;
  /** Folders that were searched. */
  looked: readonly string[];
  /** False for a library that only a plugin of the tree needs, which may never be loaded. */
  required: boolean;
}

export interface Closure {
  /** From this machine. */
  packed: PackedLibrary[];
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
}

/**
 * Follows DT_NEEDED from every program and plugin of the tree.
 *
 * @param opened what --lib names; each is a start of its own
 */
export async function findClosure(
  linker: Linker,
  roots: readonly ElfObject[],
  opened: readonly OpenedLibrary[],
): Promise<Closure> {
  const closure: Closure = {
    packed: [],
    target: new Map(),
    missing: [],
    unled: new Map(),
    byPath: [],
  };
  for (const { name, object } of opened) takeAlong(closure, name, object, OPENED);
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
      unled(closure, asking).set(takeAlong(closure, name, found.object, neededBy), found.object);
      return;
    case "target":
      // Unless --lib packs it.
      {
        const packed = closure.packed.find((library) => library.name === name);
        if (packed !== undefined) unled(closure, asking).set(packed.folder, packed.object);
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

/**
 * Two programs may mean different libraries by one name. Each finds its own, in a folder of its own.
 *
 * @returns the folder
 */
function takeAlong(closure: Closure, name: string, object: ElfObject, neededBy: string): string {
  const namesakes = closure.packed.filter((library) => library.name === name);
  const known = namesakes.find((library) => library.object.real === object.real);
  if (known !== undefined) return known.folder;
  const count = namesakes.length;
  const folder = count === 0 ? LIBRARY_FOLDER : `${LIBRARY_FOLDER}/${count + 1}`;
  closure.packed.push({ name, folder, object, neededBy });
  return folder;
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
): Promise<OpenedLibrary[]> {
  const opened: OpenedLibrary[] = [];
  for (const given of names) {
    const name = path.basename(given);
    const library = hostLibrary(name);
    if (library !== undefined && NEVER_PACKED.includes(library.family))
      throw errors.libraryHost(name, library.reason);
    const found = given.includes("/")
      ? await linker.at(path.resolve(given))
      : await linker.find(given, program ? [program] : [], true);
    if (found === undefined)
      throw errors.libraryMissing(given, (name) => name("libs"), "that file");
    if (!("kind" in found)) opened.push({ name, object: found });
    else if (found.kind === "machine") {
      opened.push({ name, object: found.object });
    } else if (found.kind === "missing") {
      throw errors.libraryMissing(given, (name) => name("libs"), shownFolders(found.looked));
    }
  }
  return opened;
}
