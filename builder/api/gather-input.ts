/**
 * Inputs that are no folder yet, or several → one: a private folder that archives are unpacked into, and
 * others copied. What they say of modes, owners, times, devices and attributes is kept in the tree, whoever builds.
 */
import { realpathSync } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";
import { chooseKind } from "../app/kinds.ts";
import { openSource } from "../app/source.ts";
import { writeTree } from "../archive/write-tree.ts";
import type { Gathered, ResolvedBuildOptions } from "../config/build-options.ts";
import { BundleError, containerArchive, optionConflict } from "../errors.ts";
import { STDIN, shownInput } from "../host/standard-input.ts";
import { Workspace } from "../host/temporary.ts";
import { namesImage } from "../oci/reference.ts";
import { byteString, displayPath } from "../tree/path.ts";
import { Tree } from "../tree/tree.ts";
import { merge } from "../tree/whole-trees.ts";
import { holdsImage } from "./convert.ts";
import { archiveKind, partOf, treeOf } from "./pack-input.ts";

/**
 * Hands the options to `use`, with one folder as their input where they had an archive or several inputs.
 * The folder is there until that is done, and messages call what is in it by the inputs.
 *
 * @throws what `treeOf`, `merge` and `use` throw, E_KIND_UNKNOWN for the archive of a container image,
 *   E_OPTION_CONFLICT for a container image beside others
 */
export async function withGathered<T>(
  options: ResolvedBuildOptions,
  use: (options: ResolvedBuildOptions) => Promise<T>,
): Promise<T> {
  const { more = [] } = options;
  const isPacked = await isArchive(options);
  if (!isPacked && more.length === 0) return use(options);
  if (!isPacked && (options.kind === "image" || namesImage(options.input))) {
    throw optionConflict((name) => `${name("more")}, and ${options.input} is a container image`);
  }
  const workspace = new Workspace();
  const names = new Names();
  try {
    return await use(await gathered(options, isPacked, workspace, names));
  } catch (thrown) {
    throw thrown instanceof BundleError && !isOfOutput(thrown)
      ? thrown.renamed(names.rename)
      : thrown;
  } finally {
    workspace.remove();
  }
}

/** Nothing is wrong with the inputs where a folder of ours cannot be written to: the disk of TMPDIR is full, say. */
const isOfOutput = ({ code }: BundleError) => code.startsWith("E_OUTPUT_");

/** What folders of ours are called where people read of them. */
class Names {
  readonly #names: [folder: string, name: string][] = [];

  add(folder: string, name: string): void {
    this.#names.push([folder, name]);
  }

  readonly rename = (text: string): string =>
    this.#names.reduce((all, [folder, name]) => all.replaceAll(folder, name), text);
}

async function gathered(
  options: ResolvedBuildOptions,
  isPacked: boolean,
  workspace: Workspace,
  names: Names,
): Promise<ResolvedBuildOptions> {
  const { input, more = [], signal, devices = false, keepOwners = false } = options;
  const { onReport, onStep } = options;
  const base = realpathSync(workspace.path);
  const owners = keepOwners && process.geteuid?.() === 0;
  const unpack = async (tree: Tree, folder: string, name: string) => {
    names.add(folder, name);
    await writeTree(tree, folder, { spool: base, owners, signal });
    return folder;
  };
  const shown = shownInput(input);
  onStep?.(`${isPacked ? "unpacking" : "gathering"} ${[shown, ...more].join(", ")}`);
  const whole = await treeOf(input, { signal }, devices, workspace);
  if (isPacked) refuseContainer(whole, shown);
  const { tree, top } = isPacked ? withoutTop(whole, options.entry) : { tree: whole };
  const place = top === undefined ? "" : `; the app is all of its one folder, ${displayPath(top)}`;
  const explain = isPacked ? [`unpacked from ${shown}${place}`] : [];
  const first = top === undefined ? shown : `${shown}/${displayPath(top)}`;
  const ready = { ...options, gathered: { tree, rename: names.rename, explain } };
  let folder = isPacked ? await unpack(tree, path.join(base, "first"), first) : input;
  let chosen: Gathered["chosen"];
  if (more.length > 0) {
    const own = isPacked ? { ...ready, input: folder } : options;
    const { kind, why } = await chooseKind(options.kind, await openSource(own));
    chosen = { kind: kind.name, why };
    for (const part of more.map(partOf)) {
      merge(tree, part.place, await treeOf(part.file, { signal }, devices, workspace));
    }
    folder = await unpack(tree, path.join(base, "all"), `{${[first, ...more].join(", ")}}`);
    explain.push(`gathered from ${[shown, ...more].join(", ")}`);
  }
  return {
    ...ready,
    input: folder,
    gathered: { ...ready.gathered, chosen },
    ...(onReport && { onReport: (line) => onReport(names.rename(line)) }),
    ...(onStep && { onStep: (what) => onStep(names.rename(what)) }),
  };
}

/** Whether the input is an archive of files, and no container image: "-" is one where a kind is given. */
async function isArchive({ input, kind = "auto", fromDump }: ResolvedBuildOptions) {
  if (fromDump !== undefined || kind === "image") return false;
  if (input === STDIN) return kind !== "auto";
  if (namesImage(input)) return false;
  const stats = await stat(input).catch(() => undefined); // whoever reads it says why
  if (!stats?.isFile() || (await holdsImage(input))) return false;
  return (await archiveKind(input)) !== undefined;
}

/** Files that stand at the root of an archive of container images, and how such an archive is named. */
const containerFiles = [
  ["oci-layout", "oci-archive"],
  ["manifest.json", "docker-archive"],
] as const;

/** @throws E_KIND_UNKNOWN */
function refuseContainer(tree: Tree, shown: string): void {
  const blobs = tree.get("blobs") ?? tree.get("repositories");
  const found = containerFiles.find(([file]) => blobs !== undefined && tree.get(file));
  if (found === undefined) return;
  throw containerArchive(shown, found[1]);
}

/** Folders that an app itself may consist of alone. */
const PLACES = new Set([
  "bin",
  "sbin",
  "lib",
  "lib64",
  "libexec",
  "share",
  "etc",
  "opt",
  "usr",
  "var",
]);

/**
 * The app in an archive: what is in its one folder, as `npm pack`, GitHub and most makers of releases
 * pack it, unless that folder is one of an app's own or the entrypoint is said from the archive's root.
 */
function withoutTop(tree: Tree, entry: string | undefined): { tree: Tree; top?: string } {
  const [only, ...others] = tree.root.entries;
  if (only === undefined || others.length > 0) return { tree };
  const [top, node] = only;
  const isSaid =
    entry !== undefined && byteString(path.posix.normalize(entry)).startsWith(`${top}/`);
  if (node.kind !== "directory" || PLACES.has(top) || isSaid) return { tree };
  const below = new Tree(node);
  for (const [name, child] of node.entries) below.root.entries.set(name, child);
  return { tree: below, top };
}
