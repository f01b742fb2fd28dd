/**
 * A file that holds an image (an AppImage, a bundle, a squashfs image) → bundle. The image is taken
 * over byte for byte, unless an option asks for another.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { chooseEntry } from "../app/choose-entry.ts";
import type { App } from "../app/kind.ts";
import { type AppDir, completeAppDir } from "../appimage/appdir.ts";
import { readText } from "../appimage/sections.ts";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import { alignImage, hasElfMagic, readElf } from "../elf/read.ts";
import * as errors from "../errors.ts";
import { manifestFormat, squashfsFormat } from "../generated/spec.ts";
import { Breath } from "../host/breath.ts";
import { architectures } from "../host/paths.ts";
import { removeTemporary, workFolder } from "../host/temporary.ts";
import { locateImage } from "../image/locate.ts";
import { imageTree } from "../input/image-tree.ts";
import { parseLibc } from "../libraries/libc/libc-record.ts";
import { parsedMaps } from "../manifest/folder-map.ts";
import type { ImageConfig } from "../manifest/image-config.ts";
import { parseKept } from "../manifest/kept-file.ts";
import { fromBytes, type Manifest } from "../manifest/manifest.ts";
import { permissionsOfRecords } from "../manifest/permission-rules.ts";
import type { SuperblockFacts } from "../native/addon.ts";
import { writeAt } from "../output/write-at.ts";
import { indexFiles, profileOfRuns } from "../profile/image-files.ts";
import type { ImageEntry, ImageReader } from "../squashfs/image-reader.ts";
import { editTree, treeEdits } from "../tree/edits.ts";
import { directoryNode, fileNode, type Node, symlinkNode } from "../tree/node.ts";
import { byteString } from "../tree/path.ts";
import { Tree } from "../tree/tree.ts";
import { warning } from "../warnings.ts";
import { type Inspection, withImage } from "./inspect.ts";
import { dumpTree } from "./read-dump.ts";

/** An image as it stood in the input. */
export interface TakenImage extends SuperblockFacts {
  /** Bytes with padding, a multiple of 4096. */
  paddedBytes: number;
  /** Regular files, a hard-linked one counted once. */
  files: number;
  /** Bytes of them. */
  contentBytes: number;
}

/** What a build does with an image that it was handed. */
export interface Conversion {
  app: App;
  appDir: AppDir | undefined;
  /** Options with what the input says itself. */
  options: ResolvedBuildOptions;
  /** Writes the image as it is; undefined when it has to be packed again. */
  take: ((fd: number, offset: number) => Promise<TakenImage>) | undefined;
  /** Numbers of inodes in an image that is taken as it is. */
  numbers: ((node: Node) => number) | undefined;
}

/** Options that change what is in an image or how it is packed. */
const repacking = [
  "compression",
  "level",
  "variants",
  "blockSize",
  "hotBudget",
  "keepMtimes",
  "keepOwners",
  "owner",
  "excludeFrom",
  ...treeEdits,
] as const;

/** Whether a file holds an image to take over. What is wrong with others, their kind says. */
export async function holdsImage(file: string): Promise<boolean> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (handle === undefined) return false;
  try {
    if (!(await handle.stat()).isFile()) return false;
    const read = handle.read(Buffer.alloc(4), 0, 4, 0);
    const { buffer } = await read.catch(errors.readingFailed(file));
    const magic = buffer.toString("latin1");
    if (magic === squashfsFormat.magic || magic === squashfsFormat.bigEndianMagic) return true;
    return hasElfMagic(buffer) && (await hasImageBehind(handle, file));
  } finally {
    await handle.close();
  }
}

/** True also for a bundle or an AppImage whose image is cut off: it is no program to pack. */
async function hasImageBehind(handle: FileHandle, file: string): Promise<boolean> {
  try {
    const elf = await readElf(handle, file);
    if (elf.appImageType !== undefined) return true;
    const manifest = elf.sections.find(({ name }) => name === manifestFormat.section);
    if (manifest !== undefined && (await readText(handle, manifest)) !== "") return true;
    await locateImage(handle, file);
    return true;
  } catch (cause) {
    if (cause instanceof errors.BundleError) return false;
    return errors.readingFailed(file)(cause);
  }
}

/**
 * Looks at the image and hands what is to be done to `use`; files that it needs exist until then.
 *
 * @param archGiven whether the caller has said a machine: else the input's is kept
 * @throws what `withImage`, `chooseEntry` and `completeAppDir` throw
 */
export function withConversion<T>(
  given: ResolvedBuildOptions,
  archGiven: boolean,
  use: (conversion: Conversion) => Promise<T>,
): Promise<T> {
  return withImage(given.input, async (inspection, image, handle) => {
    const options = {
      ...given,
      ...(!archGiven && archOf(inspection)),
      ...(given.maps.length === 0 && { maps: inspection.manifest?.maps?.map(fromBytes) ?? [] }),
      ...recordedSandbox(given, inspection.manifest),
    };
    const workspace = workFolder();
    try {
      return await use(await prepare(options, inspection, image, handle, workspace));
    } finally {
      removeTemporary(workspace);
    }
  });
}

/** A bundle that is built again stays in its sandbox, unless another is asked for. */
function recordedSandbox(
  { sandbox, permissions }: ResolvedBuildOptions,
  manifest: Manifest | undefined,
): Pick<ResolvedBuildOptions, "permissions"> {
  if (manifest?.sandbox === undefined || sandbox === false || permissions !== undefined) return {};
  return { permissions: permissionsOfRecords(manifest.sandbox) };
}

function archOf({ arch }: Inspection): Partial<ResolvedBuildOptions> {
  const known = architectures.find((name) => name === arch);
  return known === undefined ? {} : { arch: known };
}

/**
 * Hands what a dump and its contents make to `use`: an image that nobody has packed yet.
 *
 * @throws what `dumpTree`, `chooseEntry` and `completeAppDir` throw
 */
export async function withDump<T>(
  options: ResolvedBuildOptions,
  use: (conversion: Omit<Conversion, "take" | "numbers">) => Promise<T>,
): Promise<T> {
  checkOptions(options);
  const tree = await dumpTree(options.fromDump ?? "", options.objects);
  editTree(tree, options);
  const entry = entryOf(tree, options, undefined);
  const app: App = {
    ...appOf(tree, entry, undefined),
    ...(options.root && { image: imageConfigOf() }),
    keeps: { owners: true, mtimes: true },
    summary: "image (of a dump)",
  };
  const appDir = options.format === "appimage" ? await completeAppDir(app, options) : undefined;
  return use({ app, appDir, options });
}

async function prepare(
  options: ResolvedBuildOptions,
  inspection: Inspection,
  image: ImageReader,
  handle: FileHandle,
  workspace: string,
): Promise<Conversion> {
  checkOptions(options);
  const { manifest } = inspection;
  const { signal } = options;
  const entries = await image.list(signal);
  const isAppImage = options.format === "appimage";
  const asked = repacking.some((key) => options[key] !== undefined && options[key] !== false);
  const repacks = asked || (options.exclude ?? []).length > 0 || options.xattrs === false;
  const tree =
    repacks || isAppImage
      ? await imageTree(image, entries, workspace, options)
      : await outline(entries, signal);
  if (repacks) editTree(tree, options);
  const entry = entryOf(tree, options, manifest);
  if (isAppImage && options.entry !== undefined && entry !== "AppRun" && tree.get("AppRun")) {
    throw errors.optionConflict(
      (name) => `${name("entry")}, while the image has an AppRun, which starts the app`,
    );
  }
  const root = options.root && { image: imageConfigOf(manifest) };
  const app: App = {
    ...appOf(tree, entry, inspection.manifest),
    summary: `image (${inspection.kind}, at byte ${inspection.imageOffset})`,
    ...root,
    start: recordedStart(inspection, entries),
  };
  if (inspection.arch !== undefined && inspection.arch !== options.arch) {
    const message = `the runtime of ${options.input} is for ${inspection.arch}, the bundle for ${options.arch}: programs in the image may not run there`;
    app.warnings = [...app.warnings, warning("W_PROGRAM_MACHINE", message)];
  }
  const before = isAppImage ? new Map(paths(tree)) : undefined;
  const appDir = isAppImage ? await completeAppDir(app, options) : undefined;
  const added = before && [...paths(tree)].filter(([path, node]) => before.get(path) !== node);
  const changed = added !== undefined && added.length > 0;
  if (changed && !repacks) {
    const names = added.map(([path]) => path).join(", ");
    const message = `the image is packed again, with ${names}`;
    app.warnings = [...app.warnings, warning("W_IMAGE_REPACKED", message)];
  }
  const take =
    repacks || changed
      ? undefined
      : (fd: number, offset: number) => takeOver(handle, inspection, image, entries, fd, offset);
  const numbers = take && numbersIn(tree, entries);
  return { app, appDir, options, take, numbers };
}

/** What starts: as asked for, as recorded, or found; of a root directory that may be the arguments. */
function entryOf(tree: Tree, options: ResolvedBuildOptions, manifest: Manifest | undefined) {
  const recorded = options.entry === undefined ? manifest?.entry : undefined;
  if (recorded !== undefined) {
    return chooseEntry(tree, { ...question(options), entry: fromBytes(recorded) });
  }
  const isImage = options.entry === undefined && (options.root || manifest?.root !== undefined);
  return isImage ? undefined : chooseEntry(tree, question(options));
}

/** @throws E_OPTION_CONFLICT for options that say how an app is made */
function checkOptions({ more, kind, withLibs, libs, libc, gconv }: ResolvedBuildOptions): void {
  const given = {
    more: (more ?? []).length > 0,
    kind: kind !== undefined && kind !== "auto",
    withLibs: withLibs === true,
    libs: (libs ?? []).length > 0,
    libc: libc === "pack",
    gconv: gconv !== undefined,
  };
  for (const [key, isGiven] of Object.entries(given)) {
    if (!isGiven) continue;
    throw errors.optionConflict(
      (name) => `${name(key)}, while ${name("input")} holds a finished image`,
    );
  }
}

const question = ({ input, entry, name, maps }: ResolvedBuildOptions) => ({
  dir: input,
  entry,
  name,
  maps: parsedMaps(maps.map(byteString)),
});

function* paths(tree: Tree): Generator<[string, Node]> {
  for (const { path, node } of tree.walk()) if (node.kind !== "directory") yield [path, node];
}

function appOf(
  tree: Tree,
  entry: string | undefined,
  manifest: Manifest | undefined,
): Omit<App, "summary"> {
  return {
    kind: "plain",
    tree,
    entry,
    args: manifest?.args.map(fromBytes) ?? [],
    env: manifest?.env.map(fromBytes) ?? [],
    envDefault: manifest?.envDefault?.map(fromBytes) ?? [],
    envPrepend: manifest?.envPrepend?.map(fromBytes) ?? [],
    envAppend: manifest?.envAppend?.map(fromBytes) ?? [],
    unsetEnv: manifest?.unset?.map(fromBytes) ?? [],
    ...(manifest?.needs && { needs: manifest.needs }),
    ...(manifest?.openssl !== undefined && { openssl: fromBytes(manifest.openssl) }),
    ...(manifest?.libc && {
      libc: manifest.libc.flatMap((text) => parseLibc(fromBytes(text)) ?? []),
    }),
    ...keptOf(manifest),
    ...(manifest?.root && { image: imageConfigOf(manifest) }),
    explain: [],
    warnings: [],
  };
}

/** What is recorded of a root goes on being so. */
function imageConfigOf(manifest: Partial<Manifest> = {}): ImageConfig {
  const { cmd, user, workdir, run, ports, volumes, stopSignal, labels, source } = manifest;
  return { cmd, user, workdir, run, ports, volumes, stopSignal, labels, source };
}

/** What starts keep of it goes on being kept. */
function keptOf(manifest: Manifest | undefined): Pick<App, "hot" | "kept"> {
  const kept = manifest?.keep?.flatMap((text) => parseKept(text) ?? []) ?? [];
  return kept.length > 0 ? { kept, hot: kept.map(({ path }) => path) } : {};
}

/** What the input says of its start, by paths: an image that is packed again has other numbers. */
function recordedStart({ manifest }: Inspection, entries: readonly ImageEntry[]) {
  if (manifest?.start === undefined) return undefined;
  const profile = profileOfRuns(manifest.start, indexFiles(entries));
  const { storedBytes } = manifest;
  return { profile, from: "the start list that it has", storedBytes };
}

/** How the files of a tree are numbered in the image that it was made of. */
function numbersIn(tree: Tree, entries: readonly ImageEntry[]): (node: Node) => number {
  const numbers = new Map(entries.map(({ path, inode }) => [tree.get(path), inode]));
  return (node) => {
    const number = numbers.get(node);
    if (number === undefined) throw errors.internal(new Error("a file of the image has no inode"));
    return number;
  };
}

/** The tree of an image whose contents nobody reads: enough to find what starts. */
async function outline(entries: readonly ImageEntry[], signal?: AbortSignal): Promise<Tree> {
  const tree = new Tree();
  const files = new Map<number, Node>();
  const breath = new Breath(signal);
  for (const { path, kind, mode, target, inode, size } of entries) {
    if (breath.isDue) await breath.take();
    if (path === "") continue;
    if (kind === "directory") tree.add(path, directoryNode({ mode }));
    else if (kind === "symlink") tree.add(path, symlinkNode(target ?? ""));
    else if (kind === "file") {
      const file = files.get(inode) ?? fileNode({ from: "image", size }, { mode });
      files.set(inode, file);
      tree.add(path, file);
    }
  }
  return tree;
}

/** Bytes that are copied at once. */
const CHUNK = 1 << 20;

async function takeOver(
  source: FileHandle,
  { imageOffset, size }: Inspection,
  { facts }: ImageReader,
  entries: readonly ImageEntry[],
  fd: number,
  offset: number,
): Promise<TakenImage> {
  const paddedBytes = alignImage(facts.bytes);
  const wanted = Math.min(paddedBytes, size - imageOffset);
  const chunk = Buffer.alloc(CHUNK);
  for (let done = 0; done < wanted; ) {
    const length = Math.min(CHUNK, wanted - done);
    const { bytesRead } = await source.read(chunk, 0, length, imageOffset + done);
    if (bytesRead === 0) throw errors.fileChanged("the image", "it became shorter");
    await writeAt(fd, chunk.subarray(0, bytesRead), offset + done);
    done += bytesRead;
  }
  await writeAt(fd, Buffer.alloc(paddedBytes - wanted), offset + wanted);
  const files = new Map(
    entries.filter(({ kind }) => kind === "file").map(({ inode, size: bytes }) => [inode, bytes]),
  );
  const contentBytes = [...files.values()].reduce((sum, bytes) => sum + bytes, 0);
  return { ...facts, paddedBytes, files: files.size, contentBytes };
}
