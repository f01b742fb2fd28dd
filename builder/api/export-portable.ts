/** Bundle → portable service of systemd. */
import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import { imageOptions } from "../config/image-options.ts";
import { checkOptions } from "../config/validate.ts";
import type { DumpEntry } from "../dump/dump-entry.ts";
import { imageEntries } from "../dump/dump-image.ts";
import { factsOf } from "../engines/facts.ts";
import { type PortableStart, portableFiles } from "../engines/systemd/portable.ts";
import { freeName, whenTaken } from "../engines/write-files.ts";
import * as errors from "../errors.ts";
import { mountPoints, portableEntries } from "../export/portable-root.ts";
import { placementOf, rootEntries } from "../export/root-files.ts";
import type { StartConfig } from "../export/start-config.ts";
import { programPath, requireStartable, startedBy } from "../export/startable.ts";
import { userIn } from "../export/users.ts";
import { sha256OfHandle } from "../host/digest.ts";
import { Workspace } from "../host/temporary.ts";
import { imageTree } from "../input/image-tree.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { refuseInside, resolveOutput, writeAtomically } from "../output/atomic.ts";
import type { ImageReader } from "../squashfs/image-reader.ts";
import { defaultMtime } from "../squashfs/squashfs-options.ts";
import { writeSquashfs } from "../squashfs/writer.ts";
import { directoryNode, fileNode, type Node, symlinkNode } from "../tree/node.ts";
import { Tree } from "../tree/tree.ts";
import { withImage } from "./inspect.ts";

/** What a portable service is made of. */
export interface PortableOptions {
  /** Bundle. */
  input: string;
  /** File to write: NAME.raw or NAME_VERSION.raw; the service is called NAME. */
  portable: string;
  /** Arguments of the app. */
  args?: readonly string[] | undefined;
  /** Variables of the app, each `K=V`. */
  env?: readonly string[] | undefined;
  /** What systemd listens on for the app, which takes the sockets over by LISTEN_FDS. */
  sockets?: readonly string[] | undefined;
  /** Secrets that systemd hands over as files, each `ID[:PATH]`. */
  credentials?: readonly string[] | undefined;
  /** Processors that it may have. Default: no limit. */
  cpus?: number | undefined;
  /** Memory that it may have, `512M` or `2G`. Default: no limit. */
  memory?: string | undefined;
  /** The app says when it is up, by sd_notify(3). Default: it is up when it was started. */
  notify?: boolean | undefined;
  /** Replace the file that is there. */
  force?: boolean | undefined;
}

/** The image that was written. */
export interface Portable {
  /** Absolute path of it. */
  output: string;
  /** Bytes. */
  size: number;
  /** Names of the units in it. */
  units: readonly string[];
}

/**
 * Writes the root file system of a service, with its units, for `portablectl attach`. The same bundle and options give
 * the same bytes.
 *
 * @throws E_OPTION_*, E_ENGINE_*, E_EXPORT_*, E_OUTPUT_*, and what `inspect` throws
 *
 * @example
 * ```js
 * import { exportPortable } from "fuselage-bundle";
 *
 * try {
 *   await exportPortable({ input: "hello.run", portable: "hello.img" });
 * } catch (error) {
 *   console.log(error.code); // E_OPTION_VALUE
 * }
 * ```
 */
export async function exportPortable(options: PortableOptions): Promise<Portable> {
  const { input, portable, force = false, ...settings } = options;
  if (!input) throw errors.optionMissing("input", "the bundle to export");
  checkOptions("export", options);
  const name = nameOf(portable);
  const output = await freeName(await resolveOutput(portable), force);
  await refuseInside(output, portable, input);
  return withImage(input, async ({ manifest, size, arch }, image, handle) => {
    if (manifest === undefined) throw errors.engineInput(input, "is no bundle");
    const sha256 = (await sha256OfHandle(handle, input)).toString("hex");
    const facts = factsOf({ file: input, size, sha256, arch }, manifest);
    if (facts.start === undefined) {
      const what = "records a command line of the runner, of which no root of a service is made";
      throw errors.engineInput(input, what);
    }
    const mtime = defaultMtime();
    const entries = await ownEntries(image, manifest, mtime);
    const start = await startOf(input, entries, facts.start);
    const folders = [`/var/lib/${name}`, ...facts.volumes];
    const declared = Object.keys(facts.permissions?.fs ?? {}).filter((one) => one.startsWith("/"));
    const points = mountPoints(entries, folders, declared);
    const { units, release } = portableFiles(facts, { ...settings, name }, { ...start, points });
    const all = portableEntries(entries, { name, units, release, folders, points, mtime });
    const written = await write(image, all, { output, shown: portable, force });
    return { output, size: written, units: units.map((unit) => unit.name) };
  });
}

/** @throws E_OPTION_VALUE for what portablectl takes for no name, or no image */
function nameOf(file: string): string {
  const [, name] =
    /^([A-Za-z0-9][A-Za-z0-9.-]{0,63})(?:_[^_/]+)?\.raw$/.exec(path.basename(file)) ?? [];
  if (name !== undefined) return name;
  const expected = "NAME.raw or NAME_VERSION.raw, NAME of letters, digits, . and -";
  throw errors.optionValue("portable", expected, JSON.stringify(path.basename(file)));
}

async function ownEntries(image: ImageReader, manifest: Manifest, mtime: number) {
  const placement = placementOf(manifest, manifest.name, undefined);
  return rootEntries(await imageEntries(image), placement, { hasBase: false, mtime });
}

/** @throws E_ENGINE_INPUT, E_EXPORT_LIBC, E_EXPORT_INPUT */
async function startOf(
  input: string,
  entries: readonly DumpEntry[],
  config: StartConfig,
): Promise<Omit<PortableStart, "points">> {
  const wanted = startedBy(config);
  if (wanted === undefined) throw errors.engineInput(input, "says nothing that could be started");
  await requireStartable(entries, wanted);
  const user = await userIn(entries, config.User);
  return { config, program: programPath(entries, wanted) ?? wanted.program, user };
}

async function write(
  image: ImageReader,
  entries: readonly DumpEntry[],
  { output, shown, force }: { output: string; shown: string; force: boolean },
): Promise<number> {
  const workspace = new Workspace();
  try {
    const own = await image.list();
    const from = await imageTree(image, own, workspace.path, {});
    const nodes = new Map<unknown, Node>();
    for (const { path: at, inode } of own) {
      const node = at === "" ? from.root : from.get(at);
      if (node !== undefined) nodes.set(inode, node);
    }
    const tree = new Tree();
    for (const entry of entries) {
      const node = await nodeOf(entry, nodes.get(entry.inode));
      if (entry.path === "") Object.assign(tree.root, { ...node, entries: tree.root.entries });
      else tree.add(entry.path, node);
    }
    // Owners and times are those of the image.
    const options = imageOptions({ keepMtimes: true, keepOwners: true, cache: false });
    const writeTree = async ({ fd }: FileHandle) =>
      (await writeSquashfs(tree, { fd }, options)).paddedBytes;
    return await writeAtomically(output, 0o666, writeTree, shown, whenTaken(output, force));
  } finally {
    workspace.remove();
  }
}

/** Names of one inode stay names of one. @param own the node that the image has of it */
async function nodeOf(entry: DumpEntry, own: Node | undefined): Promise<Node> {
  const { kind, mode, uid, gid, mtime, xattrs, target = "", file } = entry;
  const attributes = { mode, uid, gid, mtime, xattrs };
  if (kind === "directory") return directoryNode(attributes);
  if (own !== undefined) return Object.assign(own, attributes);
  if (kind === "symlink") return symlinkNode(target, attributes);
  const parts: Uint8Array[] = [];
  if (file !== undefined) for await (const part of file.read()) parts.push(Buffer.from(part));
  return fileNode(Buffer.concat(parts), attributes);
}
