/**
 * Finds libraries as ld.so would, in the tree first and then on this machine. LD_LIBRARY_PATH is not
 * used: what a bundle holds must not depend on the shell that it was built in.
 */
import path from "node:path";
import type { Architecture } from "../host/paths.ts";
import { type FolderMap, pathInImage } from "../manifest/folder-map.ts";
import { byteString, displayPath, joinPath } from "../tree/path.ts";
import { resolvePath } from "../tree/resolve.ts";
import type { Tree } from "../tree/tree.ts";
import { type ElfFiles, type ElfObject, usesMusl } from "./elf-objects.ts";
import { type HostLibrary, hostLibrary } from "./host-libraries.ts";
import { systemFolders } from "./search-path.ts";

export type Found =
  /**
   * In the tree. A search path of the program has `led` there on every machine, or the folder must be
   * added to it.
   */
  | { kind: "tree"; object: ElfObject; folder: string; led: boolean }
  | { kind: "machine"; object: ElfObject }
  | { kind: "target"; library: HostLibrary }
  | { kind: "missing"; looked: readonly string[] };

const ORIGIN = /^\$(?:ORIGIN|\{ORIGIN\})(?=\/|$)/;

/** What stands for something else on other distributions, or with other processors. */
const VARIES = /\$(?:(?:LIB|PLATFORM)\b|\{(?:LIB|PLATFORM)\})/;

/** What `$LIB` stands for, by distribution. */
const libraryFolders = (arch: Architecture) => [`lib/${arch}-linux-gnu`, "lib64", "lib"];

export class Linker {
  readonly #tree: Tree;
  readonly #files: ElfFiles;
  readonly #sysroot: string;
  readonly #declared: readonly string[];
  readonly #places: readonly FolderMap[];
  readonly #byPath: ReadonlyMap<string, ElfObject>;
  readonly #byReal: ReadonlyMap<string, ElfObject>;
  readonly #byName = new Map<string, { object: ElfObject; folder: string }>();
  readonly #onHost = new Map<string, ElfObject>();
  readonly #folders = new Map<boolean, string[]>();

  /**
   * @param sysroot "" for this machine itself
   * @param declared names of libraries that every target has
   * @param places where folders of the tree appear at every start; byte strings
   */
  constructor(
    tree: Tree,
    objects: readonly ElfObject[],
    files: ElfFiles,
    sysroot: string,
    declared: readonly string[] = [],
    places: readonly FolderMap[] = [],
  ) {
    this.#places = places;
    this.#declared = declared;
    this.#tree = tree;
    this.#files = files;
    this.#sysroot = sysroot;
    this.#byPath = new Map(objects.map((object) => [object.path ?? "", object]));
    this.#byReal = new Map(objects.map((object) => [object.real, object]));
    for (const { path: at } of tree.walk()) {
      const [folder, name] = splitLast(at);
      if (this.#byName.has(name) || !/\.so(\.|$)/.test(name)) continue;
      const object = this.#inTree(at);
      if (object !== undefined) this.#byName.set(name, { object, folder });
    }
  }

  /**
   * Finds what a DT_NEEDED or a dlopen names.
   *
   * @param chain who asks, then who loaded that one, up to the program
   * @param wanted the user wants it packed, even if it is one that is left to the target
   */
  async find(name: string, chain: readonly ElfObject[], wanted = false): Promise<Found> {
    if (name.includes("/")) return this.#findPath(name, chain, wanted);
    const paths = runPaths(chain);
    for (const { origin, dir } of paths) {
      const found = this.#underOrigin(origin, dir, name) ?? this.#underPlace(dir, name);
      if (found !== undefined) return { kind: "tree", ...found, led: !VARIES.test(dir) };
    }
    const library = wanted ? undefined : hostLibrary(name, this.#declared);
    if (library !== undefined) return { kind: "target", library };
    const folders = paths.flatMap(({ origin, dir }) => this.#onMachine(origin, dir));
    const led = await this.#search(folders, name);
    if (led !== undefined) return { kind: "machine", object: led };
    const inTree = this.#byName.get(name);
    if (inTree !== undefined) return { kind: "tree", ...inTree, led: false };
    const system = this.#systemFolders(chain.some(usesMusl));
    const object = await this.#search(system, name);
    if (object !== undefined) return { kind: "machine", object };
    return { kind: "missing", looked: [...folders, ...system] };
  }

  /**
   * What is asked for by a path: from the root, from the place of who asks ($ORIGIN), or from
   * whatever folder the program is started in, which at its compilation was that of its sources.
   */
  async #findPath(name: string, chain: readonly ElfObject[], wanted: boolean): Promise<Found> {
    const [asking] = chain;
    const origin = ORIGIN.test(name) ? path.posix.dirname(name) : undefined;
    if (asking !== undefined && origin !== undefined) {
      const found = this.#underOrigin(asking, origin, path.posix.basename(name));
      if (found !== undefined) return { kind: "tree", ...found, led: !VARIES.test(origin) };
    }
    const placed = this.#underPlace(path.posix.dirname(name), path.posix.basename(name));
    if (placed !== undefined) return { kind: "tree", ...placed, led: !VARIES.test(name) };
    const library = wanted ? undefined : hostLibrary(path.posix.basename(name), this.#declared);
    if (library !== undefined) return { kind: "target", library };
    const folders =
      asking === undefined || path.isAbsolute(name) || origin !== undefined
        ? this.#onMachine(asking, path.posix.dirname(name))
        : [path.dirname(asking.file), ""].map((dir) => path.resolve(dir, path.posix.dirname(name)));
    const object = await this.#search(folders, path.posix.basename(name));
    if (object === undefined) return { kind: "missing", looked: folders };
    const inTree = this.#byReal.get(object.real);
    if (inTree?.path === undefined) return { kind: "machine", object };
    return { kind: "tree", object: inTree, folder: splitLast(inTree.path)[0], led: false };
  }

  /** A library by its path on this machine, or undefined where there is none. */
  async at(file: string): Promise<ElfObject | undefined> {
    const known = this.#onHost.get(file);
    if (known !== undefined) return known;
    const facts = await this.#files.facts(file);
    const real = facts && (await this.#files.real(file));
    if (facts === undefined || real === undefined) return undefined;
    const object = { shown: file, file, real, facts };
    this.#onHost.set(file, object);
    return object;
  }

  /** Whether an absolute path leads to a file of the tree at every start. */
  isPlaced(file: string): boolean {
    const inside = pathInImage(byteString(path.posix.normalize(file)), this.#places);
    const resolved = inside === undefined ? undefined : resolvePath(this.#tree, inside);
    return resolved !== undefined && "found" in resolved && resolved.found.kind === "file";
  }

  #systemFolders(musl: boolean): string[] {
    let folders = this.#folders.get(musl);
    if (folders === undefined) {
      folders = systemFolders(this.#files.arch, musl, this.#sysroot);
      this.#folders.set(musl, folders);
    }
    return folders;
  }

  async #search(folders: readonly string[], name: string): Promise<ElfObject | undefined> {
    for (const dir of folders) {
      const object = await this.at(path.join(dir, name));
      if (object !== undefined) return object;
    }
    return undefined;
  }

  #inTree(at: string): ElfObject | undefined {
    const resolved = resolvePath(this.#tree, at);
    return "found" in resolved ? this.#byPath.get(resolved.path) : undefined;
  }

  /** The library in a folder that is told from the place of `origin` in the tree, and that folder. */
  #underOrigin(
    origin: ElfObject,
    dir: string,
    name: string,
  ): { object: ElfObject; folder: string } | undefined {
    if (origin.path === undefined) return undefined;
    const match = ORIGIN.exec(dir);
    if (match === null) return undefined;
    const [own] = splitLast(origin.path);
    for (const rest of this.#expanded(dir.slice(match[0].length))) {
      const found = this.#inFolder(joinPath(own, byteString(rest)), name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The same of a folder that is told by a path at which the tree's appears. */
  #underPlace(dir: string, name: string): { object: ElfObject; folder: string } | undefined {
    if (!path.isAbsolute(dir)) return undefined;
    for (const full of this.#expanded(path.posix.normalize(dir))) {
      const inside = pathInImage(byteString(full.replace(/(?<=.)\/$/, "")), this.#places);
      const found = inside === undefined ? undefined : this.#inFolder(inside, name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #inFolder(folder: string, name: string): { object: ElfObject; folder: string } | undefined {
    const object = this.#inTree(joinPath(folder, byteString(name)));
    const resolved = resolvePath(this.#tree, folder);
    if (object === undefined || !("found" in resolved)) return undefined;
    return { object, folder: resolved.path };
  }

  /** Folders of this machine that an entry of a search path means. */
  #onMachine(origin: ElfObject | undefined, dir: string): string[] {
    const own = origin === undefined ? "" : path.dirname(origin.file);
    const full = dir.replace(/\$(?:ORIGIN\b|\{ORIGIN\})/g, () => own);
    // A relative entry would be looked for in whatever folder the program is started from.
    if (!path.isAbsolute(full)) return [];
    const root = full === dir ? this.#sysroot : "";
    return this.#expanded(full).map((folder) => path.join(root || "/", folder));
  }

  #expanded(dir: string): string[] {
    const { arch } = this.#files;
    const text = dir.replace(/\$(?:PLATFORM\b|\{PLATFORM\})/g, arch);
    const library = /\$(?:LIB\b|\{LIB\})/g;
    if (text.search(library) < 0) return [text];
    return libraryFolders(arch).map((name) => text.replace(library, name));
  }
}

/** Folder and name of a path in the tree. */
function splitLast(path: string): [string, string] {
  const slash = path.lastIndexOf("/");
  return [slash < 0 ? "" : path.slice(0, slash), path.slice(slash + 1)];
}

/**
 * The search paths that hold for what `chain[0]` asks for, by ld.so(8): DT_RPATH of itself and of all
 * that loaded it, each unless it has DT_RUNPATH; DT_RUNPATH of itself alone.
 */
function runPaths(chain: readonly ElfObject[]): { origin: ElfObject; dir: string }[] {
  const [asking] = chain;
  if (asking === undefined) return [];
  const of = (origin: ElfObject, dirs: readonly string[]) => dirs.map((dir) => ({ origin, dir }));
  if (asking.facts.runpath.length > 0) return of(asking, asking.facts.runpath);
  return chain
    .filter(({ facts }) => facts.runpath.length === 0)
    .flatMap((object) => of(object, object.facts.rpath));
}

/** A list of folders in a message. */
export const shownFolders = (folders: readonly string[]) =>
  [...new Set(folders)].map((dir) => displayPath(byteString(dir))).join(", ");
