/**
 * The shared libraries of a tree's programs: told, and packed when --with-libs asks for that.
 *
 * Packed ones lie in a folder of their own. Programs and libraries that need them are packed as changed copies
 * whose own search path leads there: no variable, so nothing leaks into the children of the app, and
 * no dynamic linker of ours, which /proc/self/exe would name instead of the program.
 */
import { stat } from "node:fs/promises";
import path from "node:path";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import { imageOptions } from "../config/image-options.ts";
import type { DynamicEdit } from "../elf/dynamic-edit.ts";
import * as errors from "../errors.ts";
import { type Learned, learnedBy } from "../host/learned.ts";
import { addFile } from "../input/add-input.ts";
import { type FolderMap, imagePlaces, pathInImage } from "../manifest/folder-map.ts";
import { fromBytes } from "../manifest/manifest.ts";
import { writeSquashfs } from "../squashfs/writer.ts";
import { type FileNode, symlinkNode } from "../tree/node.ts";
import { byteString } from "../tree/path.ts";
import { Tree } from "../tree/tree.ts";
import { ElfChanges } from "./elf-changes.ts";
import { ElfFiles, type ElfObject, isProgram, treeObjects } from "./elf-objects.ts";
import { gnutlsWarnings } from "./gnutls.ts";
import { chooseLibc, type LibcChoice } from "./libc/choose-libc.ts";
import type { LibcRecord } from "./libc/libc-record.ts";
import { type LibcPacking, packLibc } from "./libc/pack-libc.ts";
import { packedBefore, withoutParts } from "./libc/packed-before.ts";
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
import { opensslFolder } from "./openssl.ts";

export interface LibraryRequest {
  tree: Tree;
  options: ResolvedBuildOptions;
  /** Whether libraries go along because a libc does, though nobody asked for them. */
  takesLibraries?: boolean;
  /** Private temporary folder. */
  readonly workspace: string;
  /** Default: of the user's cache. */
  learned?: Learned;
}

/** What became of the libraries. */
export interface LinkedLibraries extends LibraryReport {
  /** Each libc that went along. */
  libc: readonly LibcRecord[];
  /** Folder that an OpenSSL of the image looks for certificates in. */
  openssl: string | undefined;
}

/** Whether the options ask for libraries: a libc that is always the packed one can use no others. */
export const asksForLibraries = ({ withLibs, libs = [], libc }: Partial<ResolvedBuildOptions>) =>
  withLibs === true || libs.length > 0 || libc === "pack";

/**
 * Looks at the ELF files of a tree and, when the options ask for it, adds the libraries they need to
 * the tree, and a libc.
 *
 * @throws E_LIBRARY_MISSING, E_LIBRARY_HOST, E_LIBC_*, E_GCONV, E_OPTION_VALUE
 */
export async function linkLibraries(request: LibraryRequest): Promise<LinkedLibraries> {
  const { tree, options } = request;
  const asked = asksForLibraries(options);
  const sysroot = await checkedSysroot(options.sysroot);
  const files = new ElfFiles(options.arch, sysroot);
  const learned = request.learned ?? learnedBy(import.meta.url);
  const all = await treeObjects(tree, files);
  const before = packedBefore(tree, all);
  const objects = withoutParts(all, before);
  const places = imagePlaces(options.mountAt, options.maps.map(byteString));
  const linker = new Linker(tree, objects, files, sysroot, options.targetHas, places);
  const opened = await openedLibraries(linker, options.libs ?? [], objects.find(isProgram));
  const closure = await findClosure(linker, objects, opened);
  if (asked) requireAll(closure);
  const takesLibraries = asked || request.takesLibraries === true;
  const question = { tree, options, objects, closure, files, sysroot, takesLibraries, learned };
  const choice = await chooseLibc(question);
  const packs = asked || choice.libcs.length > 0;
  const closes = choice.libcs.length > 0;
  const changes = new ElfChanges(() => request.workspace, learned, asked);
  if (packs) await pack(tree, closure, objects, changes, { closes, places });
  const own = packs ? closure.packed.map(({ object }) => object) : [];
  const image = [...new Set([...objects, ...own])];
  const openings = await findOpenings(linker, image, closure, learned);
  const libcs = choice.libcs.map(({ found, programs }) => ({ kind: found.kind, programs }));
  const report = describeLibraries(closure, objects, {
    openings,
    packs,
    declared: options.targetHas,
    libcs: [...before, ...libcs],
    isPlaced: (file) => linker.isPlaced(file),
  });
  const packed = await packLibcs(request, choice, {
    linker,
    files,
    changes,
    sysroot,
    objects: image,
  });
  await changes.finish();
  const openssl = await opensslFolder(image);
  const certificates =
    openssl === undefined ? [] : [`certificates: in ${openssl}, or where the target has them`];
  return {
    explain: [...report.explain, ...packed.explain, ...certificates],
    openssl,
    warnings: [
      ...report.warnings,
      ...choice.warnings,
      ...(await gnutlsWarnings(image, options.targetHas)),
    ],
    libc: packed.libc,
  };
}

async function packLibcs(
  request: LibraryRequest,
  { libcs, reasons }: LibcChoice,
  found: Pick<LibcPacking, "linker" | "files" | "changes" | "sysroot" | "objects">,
): Promise<{ explain: string[]; libc: LibcRecord[] }> {
  const { tree, options } = request;
  const packed = [];
  for (const chosen of libcs) {
    const size = options.explains ? compressedSize(request) : undefined;
    const { workspace } = request;
    packed.push(await packLibc(chosen, { ...found, tree, workspace, gconv: options.gconv, size }));
  }
  return {
    explain: [
      ...packed.flatMap(({ explain }) => explain),
      ...reasons.map((reason) => `libc: the target's, because ${reason}`),
    ],
    libc: packed.map(({ record }) => record),
  };
}

/** What files take in an image, bytes: they are packed as they will be. */
function compressedSize({ options, workspace }: LibraryRequest) {
  return async (nodes: readonly FileNode[]): Promise<number> => {
    const tree = new Tree();
    for (const [index, node] of nodes.entries()) tree.add(`${index}`, node);
    const { onProgress: _, ...choices } = options;
    const image = path.join(workspace, "libc.sfs");
    const written = imageOptions(choices);
    return (await writeSquashfs(tree, { path: image }, written)).bytes;
  };
}

/**
 * Absolute path of the folder, or "" for this machine. Asked for at once, since not every app has libraries looked for.
 *
 * @throws E_OPTION_VALUE
 */
export async function checkedSysroot(sysroot: string | undefined): Promise<string> {
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

/**
 * @param closes no search path may lead to the machine, whose libraries are for another libc
 */
async function pack(
  tree: Tree,
  closure: Closure,
  objects: readonly ElfObject[],
  changes: ElfChanges,
  { closes, places }: { closes: boolean; places: readonly FolderMap[] },
): Promise<void> {
  /** By the file of this machine: where it was packed first. */
  const placed = new Map<string, string>();
  const opens = closure.packed.some(({ neededBy }) => neededBy === OPENED);
  const around = { opens, closes, places };
  const leads = (object: ElfObject, own: string) => editOf(object, own, closure, around);

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
    if (edit !== undefined) changes.plan(node, object, edit);
  }
  for (const object of objects) {
    if (object.path === undefined || object.node === undefined) continue;
    const edit = leads(object, path.posix.dirname(object.path));
    if (edit !== undefined) changes.plan(object.node, object, edit);
  }
}

/**
 * The search path that an object needs in the bundle, and the names that it asks for; undefined when
 * its own will do.
 *
 * @param own folder of the tree that it is in
 * @param opens somebody may open a library that is packed, and it may be this object
 * @param closes what leads out of the tree goes, even where nothing comes
 * @param places where folders of the tree appear at every start
 */
function editOf(
  object: ElfObject,
  own: string,
  closure: Closure,
  { opens, closes, places }: { opens: boolean; closes: boolean; places: readonly FolderMap[] },
): DynamicEdit | undefined {
  const { path: at, facts } = object;
  // Static, or a library that needs nothing.
  if (facts.needed.length === 0 && facts.filters.length === 0) return undefined;
  const folders = new Set(closure.unled.get(object)?.keys());
  const renamed = closure.renamed.get(object);
  if (opens) folders.add(LIBRARY_FOLDER);
  const given = facts.runpath.length > 0 ? facts.runpath : facts.rpath;
  const stays = (dir: string) => staysInside(dir, fromBytes(own), places);
  const kept = at === undefined ? [] : given.filter(stays);
  const leaves = closes && kept.length < given.length;
  if (folders.size === 0 && renamed === undefined && !leaves) return undefined;
  const added = [...folders].map((folder) => {
    const relative = fromBytes(path.posix.relative(own, folder));
    return relative === "" ? "$ORIGIN" : `$ORIGIN/${relative}`;
  });
  const runPath = [...new Set([...kept, ...added])].join(":");
  return { runPath: folders.size > 0 || leaves ? runPath : undefined, renamed };
}

/**
 * A place in the bundle stays good; one outside of it is of this machine, and on another one may
 * belong to anybody.
 */
function staysInside(dir: string, own: string, places: readonly FolderMap[]): boolean {
  if (pathInImage(byteString(path.posix.normalize(dir)), places) !== undefined) return true;
  const [origin] = /^\$(ORIGIN|\{ORIGIN\})(?=\/|$)/.exec(dir) ?? [];
  if (origin === undefined) return false;
  const [first] = path.posix.join(own, dir.slice(origin.length)).split("/");
  return first !== "..";
}
