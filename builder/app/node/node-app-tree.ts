/** Where the parts of a Node app stand in the image. */
import { lstatSync, realpathSync } from "node:fs";
import path from "node:path";
import picomatch from "picomatch";
import { templatesPath } from "../../host/paths.ts";
import { linkStatusOf } from "../../host/status.ts";
import { treeFromDirectory } from "../../input/add-directory.ts";
import { addFile } from "../../input/add-input.ts";
import { HostTree, type LinkReport } from "../../input/host-tree.ts";
import { belowRoot } from "../../tree/exclusion.ts";
import { fileNode, symlinkNode } from "../../tree/node.ts";
import { byteString, joinPath } from "../../tree/path.ts";
import { Tree } from "../../tree/tree.ts";
import { BUILD_LEFTOVERS, type PackageAddons } from "./addons.ts";
import { Excluded } from "./excluded.ts";
import type { ForeignFiles } from "./foreign.ts";
import type { Closure } from "./installed.ts";
import type { InstalledProgram } from "./installed-programs.ts";
import type { Interpreter } from "./interpreter.ts";
import { installedPackage, shownPackage } from "./package.ts";

/** The interpreter and what belongs to it. */
export const NODE_DIR = "node";
/** A folder that holds the interpreter alone, which comes first in the app's PATH. */
export const NODE_PATH_DIR = `${NODE_DIR}/path`;
export const PROGRAM_PLACE = `${NODE_DIR}/bin/node`;
/** What runs before the app's program. */
export const START_SCRIPT = `${NODE_DIR}/start.cjs`;
/** The project; paths below it are those of the host, relative to what all of them share. */
const APP_DIR = "app";

/** Folders of a project that no program needs. */
const NEVER = ["node_modules", "**/node_modules", ".git", ".hg", ".svn"];

export class NodeAppTree {
  readonly tree = new Tree();
  readonly #dir: string;
  readonly #exclude: readonly string[];
  readonly #excluded: Excluded;
  readonly #foreign: ForeignFiles | undefined;
  readonly #host: HostTree;
  #base: string | undefined;

  /**
   * @param dir of the project: absolute, links followed
   * @param exclude globs below it
   * @param foreign takes out what is for other machines; without it that is packed
   */
  constructor(
    dir: string,
    exclude: readonly string[],
    foreign: ForeignFiles | undefined,
    signal?: AbortSignal,
  ) {
    this.#dir = dir;
    this.#foreign = foreign;
    this.#exclude = exclude;
    this.#excluded = new Excluded(dir, exclude);
    const excluded = (name: string) => this.#excluded.has(path.join(dir, name));
    this.#host = new HostTree({ project: dir, excluded, signal });
  }

  /**
   * Adds what links lead to and puts all that was added under one folder: the deepest of the host
   * that holds everything. Nothing of the host is added afterwards.
   *
   * @returns links that lead out of the project, or to nothing
   */
  async settle(): Promise<readonly LinkReport[]> {
    await this.#host.settle();
    this.#base = commonFolder(this.#host, this.#dir);
    const node = this.#host.get(byteString(this.#base));
    if (node !== undefined) this.tree.add(APP_DIR, node);
    return this.#host.reports;
  }

  /** Where a path of the host stands in the image, once all is there. */
  place(file: string): string {
    if (this.#base === undefined) throw new Error("places are known when the tree is settled");
    return path.posix.join(APP_DIR, path.relative(this.#base, file));
  }

  /** Adds a file, folder or link of the host, by its byte string, unless something stands there. */
  async addHostPath(file: string): Promise<void> {
    await this.#host.addPath(file);
  }

  /** Whether something stands at the place of a path of the host. */
  has(file: string): boolean {
    return this.#host.get(byteString(file)) !== undefined;
  }

  addText(file: string, contents: Uint8Array, mode = 0o644): void {
    this.#host.add(byteString(file), fileNode(contents, { mode }));
  }

  /** Adds a launcher at a place of the image. */
  addProgram(place: string, text: string): void {
    this.tree.add(place, fileNode(text, { mode: 0o755 }));
  }

  /**
   * Adds the files of the project that match, beside those that are there already.
   *
   * @returns globs that match nothing
   */
  async addIncluded(globs: readonly string[]): Promise<string[]> {
    const unmatched: string[] = [];
    const scans = new Map<string, Promise<Tree>>();
    for (const glob of globs) {
      const pattern = belowRoot(glob);
      const inside = glob.includes("node_modules");
      const never = inside ? NEVER.filter((one) => !one.includes("node_modules")) : NEVER;
      const base = this.#throughLinks(pattern);
      const exclude = base === "" ? [...never, ...this.#exclude] : never;
      const key = `${base}\0${inside}`;
      const folder = path.join(this.#dir, base);
      const scan = scans.get(key) ?? treeFromDirectory(folder, { exclude, empty: true });
      scans.set(key, scan);
      if (!this.#addMatching(await scan, base, pattern)) unmatched.push(glob);
    }
    return unmatched;
  }

  /** The part in front of a pattern that leads through links, with the link; "" where none does. */
  #throughLinks(pattern: string): string {
    const names = picomatch.scan(pattern).base.split("/");
    for (let count = names.length - (names.join("/") === pattern ? 1 : 0); count > 0; count--) {
      const part = names.slice(0, count).join("/");
      const folder = path.join(this.#dir, part);
      if (linkStatusOf(folder) === undefined) continue;
      const real = realpathSync(folder);
      return real === folder ? "" : part;
    }
    return "";
  }

  #addMatching(scanned: Tree, base: string, pattern: string): boolean {
    const matches = picomatch(pattern, { dot: true });
    const folder = this.#host.addWay(byteString(path.join(this.#dir, base)));
    if (folder === undefined) return false;
    let found = false;
    for (const { path: name, node } of scanned.walk()) {
      const text = Buffer.from(joinPath(byteString(base), name), "latin1").toString("utf8");
      const within = text
        .split("/")
        .some((_, i, parts) => matches(parts.slice(0, i + 1).join("/")));
      if (name === "" || !within) continue;
      found = true;
      if (node.kind !== "directory") this.#host.add(`${folder}/${name}`, node);
    }
    return found;
  }

  /** Adds the project as it is, without installed packages. */
  async addProject(): Promise<void> {
    const isInstalled = installedPackage(this.#dir) === this.#dir;
    await this.#host.addFolder(byteString(this.#dir), [...NEVER, ...this.#exclude], (folder) => {
      if (isInstalled) this.#foreign?.takeOut(shownPackage(this.#dir), folder, undefined);
    });
  }

  /** Adds installed packages and the links that lead to them. */
  async addPackages(
    { packages, places }: Closure,
    addons: ReadonlyMap<string, PackageAddons>,
  ): Promise<void> {
    for (const dir of [...packages].sort()) {
      if (this.#excluded.has(dir)) continue;
      if (lstatSync(dir).isFile()) {
        await this.#host.addPath(byteString(dir));
        continue;
      }
      const found = addons.get(dir);
      const compiled = found !== undefined && found.kept.length > 0;
      const exclude = ["node_modules", ...(compiled ? BUILD_LEFTOVERS : [])];
      await this.#host.addFolder(byteString(dir), exclude, (folder) => {
        this.#excluded.takeOut(dir, folder);
        this.#foreign?.takeOut(shownPackage(dir), folder, found);
      });
    }
    for (const place of places) this.#host.addWay(byteString(place));
  }

  /** Adds the programs of installed packages: node_modules/.bin, which the packages themselves are not. */
  addPrograms(programs: readonly InstalledProgram[]): void {
    for (const { link, target, file } of programs) {
      const node = this.#host.get(byteString(file));
      if (node?.kind !== "file") continue; // Left out, by --exclude or as another machine's.
      node.mode |= 0o111;
      this.#host.addOwnLink(byteString(link), byteString(target));
    }
  }

  /** @param inPath whether what the app starts by the name of node shall run with it */
  async addInterpreter(interpreter: Interpreter, inPath: boolean): Promise<void> {
    if (inPath) this.tree.add(`${NODE_PATH_DIR}/node`, symlinkNode("../bin/node"));
    const node = await addFile(this.tree, PROGRAM_PLACE, interpreter.file, 0o755);
    if (node.contents.from === "disk") {
      node.contents = { ...node.contents, digest: interpreter.digest };
    }
    for (const [name, file] of [
      ["LICENSE", interpreter.licence],
      ["facts.json", interpreter.facts],
    ]) {
      if (file !== undefined) await addFile(this.tree, `${NODE_DIR}/${name}`, file, 0o644);
    }
  }

  /** Adds what runs beside the app's program, and where it is asked for, before it. */
  async addHelpers(hasStart: boolean): Promise<void> {
    for (const name of [...(hasStart ? ["start.cjs"] : []), "fuselage-traces.cjs"]) {
      const file = path.join(templatesPath(), "node", name);
      await addFile(this.tree, `${NODE_DIR}/${name}`, file, 0o644);
    }
  }

  /**
   * Ends the search for package.json at the image: Node looks on in the folders above, and where the
   * image is mounted these may be the user's own.
   */
  endScope(): void {
    this.tree.add("package.json", fileNode("{}\n"));
  }

  /** @returns where the files stand in the image */
  addCompileCache(files: ReadonlyMap<string, Uint8Array>): string[] {
    return Array.from(files, ([name, bytes]) => {
      const place = `${NODE_DIR}/compile-cache/${name}`;
      this.tree.add(place, fileNode(bytes));
      return place;
    });
  }
}

/**
 * The deepest folder that holds the project and all else that was added. Packages are found by the
 * name of node_modules, so a folder that holds several packages keeps that name.
 */
function commonFolder(host: HostTree, dir: string): string {
  const names = dir.split("/").slice(1);
  let common = "/";
  for (const name of names) {
    const node = host.get(byteString(common));
    const only =
      node?.kind === "directory" && node.entries.size === 1 && node.entries.has(byteString(name));
    if (!only) break;
    common = path.join(common, name);
  }
  const parts = common.split("/");
  const above = parts.lastIndexOf("node_modules");
  if (above < 0 || installedPackage(common) !== undefined) return common;
  return parts.slice(0, above).join("/") || "/";
}
