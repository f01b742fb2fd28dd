/**
 * The shared libraries of a tree's programs: told, and packed when --with-libs asks for that.
 *
 * Packed ones lie in one folder. Programs and libraries that need them are packed as changed copies
 * whose own search path leads there: no variable, so nothing leaks into the children of the app, and
 * no dynamic linker of ours, which /proc/self/exe would name instead of the program.
 */
import { readFile, realpath, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { ResolvedBuildOptions } from "../../config/build.ts";
import { withRunPath } from "../../elf/run-path.ts";
import * as errors from "../../errors.ts";
import { addFile, diskContents } from "../../input/add.ts";
import { fromBytes } from "../../manifest/manifest.ts";
import { symlinkNode } from "../../tree/node.ts";
import { byteString } from "../../tree/path.ts";
import type { Tree } from "../../tree/tree.ts";
import { type Closure, findClosure, LIBRARY_FOLDER, openedLibraries } from "./closure.ts";
import { Linker, shownFolders } from "./linker.ts";
import { ElfFiles, type ElfObject, isProgram, treeObjects } from "./objects.ts";
import { describeLibraries, type LibraryReport } from "./report.ts";

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
  const linker = new Linker(tree, objects, files, sysroot);
  const opened = await openedLibraries(linker, names, objects.find(isProgram));
  const closure = await findClosure(linker, objects, opened);
  if (packs) {
    requireAll(closure);
    await pack(request, closure, objects);
  }
  return describeLibraries(closure, objects, packs);
}

async function checkedSysroot(sysroot: string | undefined): Promise<string> {
  if (sysroot === undefined) return "";
  const stats = await stat(sysroot).catch(() => undefined);
  if (stats?.isDirectory()) return path.resolve(sysroot);
  throw errors.optionValue("--sysroot", "a folder that exists", `"${sysroot}"`);
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
  /** By the file of this machine: the name under which it was packed first. */
  const placed = new Map<string, string>();
  const open = [...closure.packed.values()].some(({ neededBy }) => neededBy === "--lib");
  const leads = (object: ElfObject) => runPathOf(object, closure.unled.get(object), open);

  for (const [name, { object }] of [...closure.packed].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const file = await realpath(object.file);
    const first = placed.get(file);
    const at = byteString(`${LIBRARY_FOLDER}/${name}`);
    if (first !== undefined) {
      // One file under two names is one library to ld.so; two files would be loaded twice.
      tree.add(at, symlinkNode(byteString(first)));
      continue;
    }
    placed.set(file, name);
    const runPath = leads(object);
    const node = await addFile(tree, at, file);
    if (runPath !== undefined) node.contents = await copies.changed(object, runPath);
  }
  for (const object of objects) {
    const runPath = leads(object);
    if (runPath === undefined || object.node === undefined) continue;
    object.node.contents = await copies.changed(object, runPath);
  }
}

/** Changed copies of ELF files in the workspace. */
class Copies {
  readonly #workspace: string;
  #count = 0;

  constructor(workspace: string) {
    this.#workspace = workspace;
  }

  async changed({ file, facts }: ElfObject, runPath: string) {
    const bytes = await readFile(file).catch((cause: unknown) => {
      throw errors.fileUnreadable(file, cause);
    });
    const copy = path.join(this.#workspace, `elf-${this.#count++}`);
    await writeFile(copy, withRunPath(bytes, facts, runPath, file));
    return diskContents(copy);
  }
}

/**
 * The search path that an object needs in the bundle, or undefined when its own will do.
 *
 * @param unled folders that its own path should lead to and does not
 * @param opens somebody may open a library that is packed, and it may be this object
 */
function runPathOf(
  { path: at, facts }: ElfObject,
  unled: ReadonlyMap<string, ElfObject> | undefined,
  opens: boolean,
): string | undefined {
  if (facts.needed.length === 0) return undefined; // Static, or a library that needs nothing.
  const folders = new Set(unled?.keys());
  if (opens) folders.add(LIBRARY_FOLDER);
  if (folders.size === 0) return undefined;
  const own = path.posix.dirname(at ?? `${LIBRARY_FOLDER}/any`);
  const added = [...folders].map((folder) => {
    const relative = fromBytes(path.posix.relative(own, folder));
    return relative === "" ? "$ORIGIN" : `$ORIGIN/${relative}`;
  });
  // A place in the bundle stays good; one of this machine means nothing elsewhere, or worse.
  const given = facts.runpath.length > 0 ? facts.runpath : facts.rpath;
  const kept = at === undefined ? [] : given.filter((dir) => /^\$(ORIGIN\b|\{ORIGIN\})/.test(dir));
  return [...new Set([...kept, ...added])].join(":");
}
