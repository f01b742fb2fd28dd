/** Where the parts of a Node app stand in the image. */
import { existsSync, lstatSync } from "node:fs";
import path from "node:path";
import picomatch from "picomatch";
import { templatesPath } from "../../host/paths.ts";
import { treeFromDirectory } from "../../input/add-directory.ts";
import { addFile } from "../../input/add-input.ts";
import { fileNode, type Node, symlinkNode } from "../../tree/node.ts";
import { byteString } from "../../tree/path.ts";
import { addEntry, Tree } from "../../tree/tree.ts";
import { BUILD_LEFTOVERS, type PackageAddons } from "./addons.ts";
import type { Closure } from "./installed.ts";
import type { InstalledProgram } from "./installed-programs.ts";
import type { Interpreter } from "./interpreter.ts";
import { installedPackage } from "./package.ts";

/** The interpreter and what belongs to it. */
export const NODE_DIR = "node";
/** The project; paths below it are those of the host, relative to what all of them share. */
const APP_DIR = "app";

/** Folders of a project that no program needs. */
const NEVER = ["node_modules", "**/node_modules", ".git", ".hg", ".svn"];

export class NodeAppTree {
  readonly tree = new Tree();
  readonly #base: string;

  /** @param paths absolute, of everything that will be added */
  constructor(paths: Iterable<string>) {
    this.#base = commonFolder(paths);
  }

  /** Where a path of the host stands in the image. */
  place(file: string): string {
    return path.posix.join(APP_DIR, path.relative(this.#base, file));
  }

  /** Adds a file of the host, unless something stands there. */
  async addHostFile(file: string): Promise<void> {
    const place = byteString(this.place(file));
    if (this.tree.get(place) === undefined) await addFile(this.tree, place, file);
  }

  /** Whether something stands at the place of a path of the host. */
  has(file: string): boolean {
    return this.tree.get(byteString(this.place(file))) !== undefined;
  }

  addText(file: string, contents: Uint8Array, mode = 0o644): void {
    this.tree.add(byteString(this.place(file)), fileNode(contents, { mode }));
  }

  /** Adds a launcher at a place of the image. */
  addProgram(place: string, text: string): void {
    this.tree.add(place, fileNode(text, { mode: 0o755 }));
  }

  /** Adds the files of the project that match, beside those that are there already. */
  async addIncluded(
    dir: string,
    globs: readonly string[],
    exclude: readonly string[],
  ): Promise<void> {
    if (globs.length === 0) return;
    const inside = globs.some((glob) => glob.includes("node_modules"));
    const never = inside ? NEVER.filter((glob) => !glob.includes("node_modules")) : NEVER;
    const matches = picomatch(
      globs.map((glob) => glob.replace(/^\.?\/+|\/+$/g, "")),
      { dot: true },
    );
    const found = await treeFromDirectory(dir, { exclude: [...never, ...exclude] });
    for (const { path: name, node } of found.walk()) {
      const text = Buffer.from(name, "latin1").toString("utf8");
      const within = text
        .split("/")
        .some((_, i, parts) => matches(parts.slice(0, i + 1).join("/")));
      if (name === "" || node.kind === "directory" || !within) continue;
      const place = byteString(this.place(path.join(dir, text)));
      if (this.tree.get(place) === undefined) this.tree.add(place, node);
    }
  }

  /** Adds the project as it is, without installed packages. */
  async addProject(dir: string, exclude: readonly string[], signal?: AbortSignal): Promise<void> {
    await this.#graft(dir, [...NEVER, ...exclude], signal);
  }

  /** Adds installed packages and the links that lead to them. */
  async addPackages(
    { packages, links }: Closure,
    addons: ReadonlyMap<string, PackageAddons>,
    exclude: readonly string[],
  ): Promise<void> {
    for (const dir of [...packages].sort()) {
      const found = addons.get(dir);
      const compiled = found !== undefined && found.kept.length > 0;
      const leftovers = compiled ? [...BUILD_LEFTOVERS, ...found.foreign] : [];
      await this.#graft(dir, ["node_modules", ...leftovers, ...exclude]);
    }
    for (const [link, target] of [...links].sort(([a], [b]) => (a < b ? -1 : 1))) {
      this.addLink(link, target);
    }
  }

  /** Adds a link by the paths that it and its target have on the host, unless something stands there. */
  addLink(link: string, target: string): void {
    const place = byteString(this.place(link));
    if (this.tree.get(place) !== undefined) return;
    const relative = path.relative(path.dirname(link), target);
    this.tree.add(place, symlinkNode(byteString(relative)));
  }

  /** Adds the programs of installed packages: node_modules/.bin, which the packages themselves are not. */
  addPrograms(programs: readonly InstalledProgram[]): void {
    for (const { link, target, file } of programs) {
      const node = this.tree.get(byteString(this.place(file)));
      if (node?.kind !== "file") continue; // Left out, by --exclude or as another machine's.
      node.mode |= 0o111;
      this.addLink(link, target);
    }
  }

  /** @param inPath whether what the app starts by the name of node shall run with it */
  async addInterpreter(interpreter: Interpreter, inPath: boolean): Promise<void> {
    if (inPath) this.tree.add(`${NODE_DIR}/path/node`, symlinkNode("../bin/node"));
    const node = await addFile(this.tree, `${NODE_DIR}/bin/node`, interpreter.file, 0o755);
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

  /** Adds what runs before the app's program and beside it. */
  async addStart(): Promise<void> {
    for (const name of ["start.cjs", "fuselage-traces.cjs"]) {
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

  addCompileCache(files: ReadonlyMap<string, Uint8Array>): void {
    for (const [name, bytes] of files) {
      this.tree.add(`${NODE_DIR}/compile-cache/${name}`, fileNode(bytes));
    }
  }

  /** Puts a folder of the host at its place; folders that are there already are filled up. */
  async #graft(dir: string, exclude: readonly string[], signal?: AbortSignal): Promise<void> {
    const { root } = await treeFromDirectory(dir, { exclude, ...(signal && { signal }) });
    this.#merge(byteString(this.place(dir)), root);
  }

  #merge(place: string, node: Node): void {
    const standing = this.tree.get(place);
    if (standing === undefined) this.tree.add(place, node);
    else if (standing.kind === "directory" && node.kind === "directory") {
      for (const [name, child] of node.entries) {
        const below = place === "" ? name : `${place}/${name}`;
        if (standing.entries.has(name)) this.#merge(below, child);
        else addEntry(standing, name, child, below);
      }
    }
  }
}

/**
 * The deepest folder that all paths lie in. Packages are found by the name of node_modules, so a
 * folder that holds several packages keeps that name.
 */
function commonFolder(paths: Iterable<string>): string {
  let common: string[] | undefined;
  for (const one of paths) {
    const isFolder = existsSync(one) && lstatSync(one).isDirectory();
    const parts = (isFolder ? one : path.dirname(one)).split("/");
    if (common === undefined) common = parts;
    else {
      const differs = common.findIndex((part, i) => part !== parts[i]);
      if (differs >= 0) common = common.slice(0, differs);
    }
  }
  const above = common?.lastIndexOf("node_modules") ?? -1;
  const isPackage = common !== undefined && installedPackage(common.join("/")) !== undefined;
  return (above < 0 || isPackage ? common : common?.slice(0, above))?.join("/") || "/";
}
