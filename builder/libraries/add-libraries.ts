/**
 * The shared libraries of a tree's programs: told, and packed when --with-libs asks for that.
 *
 * Packed ones lie in a folder of their own. Programs and libraries that need them are packed as changed copies
 * whose own search path leads there: no variable, so nothing leaks into the children of the app, and
 * no dynamic linker of ours, which /proc/self/exe would name instead of the program.
 */
import { createHash } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import type { DynamicEdit } from "../elf/dynamic-edit.ts";
import { withRunPath } from "../elf/run-path.ts";
import * as errors from "../errors.ts";
import { addFile, diskContents } from "../input/add-input.ts";
import { fromBytes } from "../manifest/manifest.ts";
import { type Contents, symlinkNode } from "../tree/node.ts";
import { byteString } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import { ElfFiles, type ElfObject, isProgram, treeObjects } from "./elf-objects.ts";
import {
  type Closure,
  findClosure,
  LIBRARY_FOLDER,
  OPENED,
  openedLibraries,
} from "./library-closure.ts";
import { describeLibraries, type LibraryReport } from "./library-report.ts";
import { Linker, shownFolders } from "./linker.ts";
import { findOpenings } from "./opened-constants.ts";

export interface LibraryRequest {
  tree: Tree;
  options: ResolvedBuildOptions;
  /** Private temporary folder. */
  readonly workspace: string;
}

/**
 * Looks at the ELF files of a tree and, when the options ask for it, adds the libraries they need to
 * the tree.
 *
 * @throws E_LIBRARY_MISSING, E_LIBRARY_HOST, E_OPTION_VALUE
 */
export async function linkLibraries(request: LibraryRequest): Promise<LibraryReport> {
  const { tree, options } = request;
  const names = options.libs ?? [];
  const packs = options.withLibs === true || names.length > 0;
  const sysroot = await checkedSysroot(options.sysroot);
  const files = new ElfFiles(options.arch);
  const objects = await treeObjects(tree, files);
  const linker = new Linker(tree, objects, files, sysroot, options.targetHas);
  const opened = await openedLibraries(linker, names, objects.find(isProgram));
  const closure = await findClosure(linker, objects, opened);
  if (packs) {
    requireAll(closure);
    await pack(request, closure, objects);
  }
  const all = packs ? [...objects, ...closure.packed.map(({ object }) => object)] : objects;
  const openings = await findOpenings(linker, [...new Set(all)], closure);
  return describeLibraries(closure, objects, { openings, packs, declared: options.targetHas });
}

async function checkedSysroot(sysroot: string | undefined): Promise<string> {
  if (sysroot === undefined) return "";
  const stats = await stat(sysroot).catch(() => undefined);
  if (stats?.isDirectory()) return path.resolve(sysroot);
  throw errors.optionValue("sysroot", "a folder that exists", `"${sysroot}"`);
}

function requireAll({ missing }: Closure): void {
  const required = missing.filter((one) => one.required);
  const [first, ...more] = required;
  if (first === undefined) return;
  const others = more.map(({ name, neededBy }) => `${name} (for ${neededBy})`);
  throw errors.libraryMissing(first.name, first.neededBy, shownFolders(first.looked), others);
}

async function pack(
  { tree, workspace }: LibraryRequest,
  closure: Closure,
  objects: readonly ElfObject[],
): Promise<void> {
  const copies = new Copies(workspace);
  /** By the file of this machine: where it was packed first. */
  const placed = new Map<string, string>();
  const opens = closure.packed.some(({ neededBy }) => neededBy === OPENED);
  const leads = (object: ElfObject, own: string) => editOf(object, own, closure, opens);

  const inOrder = closure.packed.map((library) => ({
    ...library,
    at: byteString(`${library.folder}/${library.name}`),
  }));
  for (const { at, folder, object } of inOrder.sort((a, b) => (a.at < b.at ? -1 : 1))) {
    const first = placed.get(object.real);
    if (first !== undefined) {
      // One file under two names is one library to ld.so; two files would be loaded twice.
      tree.add(at, symlinkNode(path.posix.relative(folder, first)));
      continue;
    }
    placed.set(object.real, at);
    const edit = leads(object, folder);
    const node = await addFile(tree, at, object.real);
    if (edit !== undefined) node.contents = await copies.changed(object, edit);
  }
  for (const object of objects) {
    if (object.path === undefined || object.node === undefined) continue;
    const edit = leads(object, path.posix.dirname(object.path));
    if (edit !== undefined) object.node.contents = await copies.changed(object, edit);
  }
}

/** Changed copies of ELF files in the workspace. */
class Copies {
  readonly #workspace: string;
  #count = 0;

  constructor(workspace: string) {
    this.#workspace = workspace;
  }

  async changed({ file, facts, node }: ElfObject, edit: DynamicEdit): Promise<Contents> {
    const bytes = await readFile(file).catch((cause: unknown) => {
      throw errors.fileUnreadable(file, cause);
    });
    const copy = path.join(this.#workspace, `elf-${this.#count++}`);
    const changed = withRunPath(bytes, facts, edit, file);
    await writeFile(copy, changed);
    const contents = await diskContents(copy);
    const known = node?.contents.from === "disk" && node.contents.digest !== undefined;
    if (!known || contents.from !== "disk") return contents;
    return { ...contents, digest: createHash("sha256").update(changed).digest("hex") };
  }
}

/**
 * The search path that an object needs in the bundle, and the names that it asks for; undefined when
 * its own will do.
 *
 * @param own folder of the tree that it is in
 * @param opens somebody may open a library that is packed, and it may be this object
 */
function editOf(
  object: ElfObject,
  own: string,
  closure: Closure,
  opens: boolean,
): DynamicEdit | undefined {
  const { path: at, facts } = object;
  // Static, or a library that needs nothing.
  if (facts.needed.length === 0 && facts.filters.length === 0) return undefined;
  const folders = new Set(closure.unled.get(object)?.keys());
  const renamed = closure.renamed.get(object);
  if (opens) folders.add(LIBRARY_FOLDER);
  if (folders.size === 0 && renamed === undefined) return undefined;
  const added = [...folders].map((folder) => {
    const relative = fromBytes(path.posix.relative(own, folder));
    return relative === "" ? "$ORIGIN" : `$ORIGIN/${relative}`;
  });
  const given = facts.runpath.length > 0 ? facts.runpath : facts.rpath;
  const kept = at === undefined ? [] : given.filter((dir) => staysInside(dir, fromBytes(own)));
  const runPath = [...new Set([...kept, ...added])].join(":");
  return { runPath: folders.size > 0 ? runPath : undefined, renamed };
}

/**
 * A place in the bundle stays good; one outside of it is of this machine, and on another one may
 * belong to anybody.
 */
function staysInside(dir: string, own: string): boolean {
  const [origin] = /^\$(ORIGIN|\{ORIGIN\})(?=\/|$)/.exec(dir) ?? [];
  if (origin === undefined) return false;
  const [first] = path.posix.join(own, dir.slice(origin.length)).split("/");
  return first !== "..";
}
