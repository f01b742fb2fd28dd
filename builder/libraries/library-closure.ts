/** All libraries that the programs of a tree load at their start, and where each comes from. */
import path from "node:path";
import * as errors from "../errors.ts";
import { openedByGlibc } from "../generated/spec.ts";
import { type ElfObject, isProgram, usesMusl } from "./elf-objects.ts";
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
  /**
   * By the object that asks, and the name that it asks for: whether a search path leads to one in the image
   * whichever program loads it. Then what that must define is no matter of the target's.
   */
  inImage: Map<ElfObject, Map<string, boolean>>;
  /** By the object that asks for a library by its path: that path, and the name that is asked for instead. */
  renamed: Map<ElfObject, Map<string, string>>;
  /**
   * What glibc opens of the target's for the functions that a program uses, each with its reason.
   * `unled`: it could be packed, and there is no program whose search path would lead to it.
   */
  opened: Map<string, { neededBy: string; reason: string; unled: boolean }>;
}

/** Follows DT_NEEDED. */
class Follower {
  readonly #linker: Linker;
  readonly #programs: readonly ElfObject[];
  readonly closure: Closure = {
    packed: [],
    target: new Map(),
    missing: [],
    unled: new Map(),
    inImage: new Map(),
    renamed: new Map(),
    opened: new Map(),
  };

  constructor(linker: Linker, programs: readonly ElfObject[]) {
    this.#linker = linker;
    this.#programs = programs;
  }

  /** @param start who asks, then who loads it */
  async follow(start: readonly ElfObject[], required: boolean): Promise<void> {
    const loaded = await this.#linkerOf(start.at(-1));
    const asked = new Map<string, ElfObject>();
    const pending = [start];
    for (let chain = pending.shift(); chain !== undefined; chain = pending.shift()) {
      const [asking] = chain;
      if (asking === undefined) continue;
      for (const { name, optional } of namesOf(asking)) {
        const known = loaded.get(name);
        const found = known ?? (await this.#linker.find(name, chain));
        if (found.kind === "missing" && optional) continue;
        this.#record(name, asking, found, required);
        this.#noteImage(asking, name, found, required);
        if (known !== undefined) continue;
        loaded.set(name, found);
        if (found.kind !== "tree" && found.kind !== "machine") continue;
        const { soname } = found.object.facts;
        if (soname !== undefined && !loaded.has(soname)) loaded.set(soname, found);
        pending.push([found.object, ...chain]);
      }
      for (const symbol of asking.facts.undefinedSymbols) {
        if (!asked.has(symbol)) asked.set(symbol, asking);
      }
    }
    const root = start.at(-1);
    if (root !== undefined && !usesMusl(root)) await this.#openedByGlibc(root, loaded, asked);
  }

  /** What is there before all: the dynamic linker, where a program has its own in the image. */
  async #linkerOf(root: ElfObject | undefined): Promise<Map<string, Found>> {
    const { interpreter } = root?.facts ?? {};
    if (root === undefined || interpreter === undefined) return new Map();
    if (!this.#linker.isPlaced(interpreter)) return new Map();
    const found = await this.#linker.find(interpreter, [root]);
    return new Map([[path.posix.basename(interpreter), found]]);
  }

  /** @param required false for a plugin alone, which finds less than where a program has loaded it */
  #noteImage(asking: ElfObject, name: string, found: Found, required: boolean): void {
    const names = of(this.closure.inImage, asking);
    const known = names.get(name);
    if (known !== undefined && !required) return;
    names.set(name, known !== false && found.kind === "tree" && found.led);
  }

  /**
   * glibc looks for what it opens as the program would: by DT_RPATH of the program. A plugin is loaded by
   * some program of the tree.
   */
  async #openedByGlibc(
    root: ElfObject,
    loaded: ReadonlyMap<string, Found>,
    asked: ReadonlyMap<string, ElfObject>,
  ): Promise<void> {
    for (const { library, symbols, packed, reason } of openedByGlibc) {
      const symbol = symbols.find((name) => asked.has(name));
      const asking = symbol === undefined ? undefined : asked.get(symbol);
      if (asking === undefined || loaded.has(library)) continue;
      const neededBy = `${asking.shown} (${symbol})`;
      const programs = isProgram(root) ? [root] : this.#programs;
      if (!packed || programs.length === 0) {
        const { opened } = this.closure;
        if (!opened.has(library)) opened.set(library, { neededBy, reason, unled: packed });
        continue;
      }
      for (const program of programs) {
        const found = await this.#linker.find(library, [program]);
        this.#record(library, program, found, false, neededBy);
      }
    }
  }

  #record(
    name: string,
    asking: ElfObject,
    found: Found,
    required: boolean,
    neededBy = asking.shown,
  ): void {
    const { closure } = this;
    switch (found.kind) {
      case "tree":
        if (found.led) return;
        this.#rename(asking, name);
        of(closure.unled, asking).set(found.folder, found.object);
        return;
      case "machine": {
        const folder = takeAlong(closure, this.#rename(asking, name), found.object, neededBy);
        of(closure.unled, asking).set(folder, found.object);
        return;
      }
      case "target": {
        // Unless --lib packs it.
        const base = this.#rename(asking, name);
        const packed = closure.packed.find((library) => library.name === base);
        if (packed !== undefined) of(closure.unled, asking).set(packed.folder, packed.object);
        else if (!closure.target.has(base)) {
          closure.target.set(base, { ...found.library, neededBy });
        }
        return;
      }
      case "missing":
        if (closure.missing.some((one) => one.name === name)) return;
        closure.missing.push({ name, neededBy, looked: found.looked, required });
    }
  }

  /** A library that is asked for by a path is in no folder that anything leads to. */
  #rename(asking: ElfObject, name: string): string {
    if (!name.includes("/")) return name;
    const base = path.posix.basename(name);
    of(this.closure.renamed, asking).set(name, base);
    return base;
  }
}

function of<Key, Value>(maps: Map<ElfObject, Map<Key, Value>>, asking: ElfObject) {
  let map = maps.get(asking);
  if (map === undefined) {
    map = new Map<Key, Value>();
    maps.set(asking, map);
  }
  return map;
}

/** What the dynamic linker loads with an object, in no order that matters here. */
function namesOf({ facts }: ElfObject): { name: string; optional: boolean }[] {
  return [...facts.needed.map((name) => ({ name, optional: false })), ...facts.filters];
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
  const programs = roots.filter(isProgram);
  const follower = new Follower(linker, programs);
  const { closure } = follower;
  for (const { name, object } of opened) takeAlong(closure, name, object, OPENED);
  const [program] = programs;
  // Programs first: what one of them needs is an error when it is missing.
  for (const root of programs) await follower.follow([root], true);
  for (const { object } of opened) {
    await follower.follow(program ? [object, program] : [object], true);
  }
  for (const root of roots) {
    if (!isProgram(root)) await follower.follow([root], false);
  }
  return closure;
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
