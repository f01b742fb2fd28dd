/**
 * An input that is no folder yet → one: an archive, which is unpacked into a private folder. What the
 * archive says of modes, owners, times, devices and attributes is kept in the tree, whoever builds.
 */
import { realpathSync } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import { BundleError, containerArchive } from "../errors.ts";
import { Workspace } from "../host/temporary.ts";
import { writeTree } from "../input/write-tree.ts";
import { namesImage } from "../oci/reference.ts";
import { byteString, displayPath } from "../tree/path.ts";
import { Tree } from "../tree/tree.ts";
import { holdsImage } from "./convert.ts";
import { archiveKind, STDIN, treeOf } from "./pack-input.ts";

/**
 * Hands the options to `use`, with a folder as their input where it was an archive. The folder is there
 * until that is done, and messages call what is in it by the archive.
 *
 * @throws what `treeOf` and `use` throw, E_KIND_UNKNOWN for the archive of a container image
 */
export async function withGathered<T>(
  options: ResolvedBuildOptions,
  use: (options: ResolvedBuildOptions) => Promise<T>,
): Promise<T> {
  if (!(await isArchive(options))) return use(options);
  const { input, signal, devices = false, keepOwners = false, onReport, onStep } = options;
  const workspace = new Workspace();
  const shown = input === STDIN ? "standard input" : input;
  let rename = (text: string) => text;
  try {
    onStep?.(`unpacking ${shown}`);
    const whole = await treeOf(input, { signal }, devices, workspace);
    refuseContainer(whole, shown);
    const { tree, top } = withoutTop(whole, options.entry);
    const folder = path.join(realpathSync(workspace.path), "app");
    const name = top === undefined ? shown : `${shown}/${displayPath(top)}`;
    rename = (text) => text.replaceAll(folder, name);
    const owners = keepOwners && process.geteuid?.() === 0;
    await writeTree(tree, folder, { spool: path.dirname(folder), owners, signal });
    const place =
      top === undefined ? "" : `; the app is all of its one folder, ${displayPath(top)}`;
    return await use({
      ...options,
      input: folder,
      gathered: { tree, rename, explain: [`unpacked from ${shown}${place}`] },
      ...(onReport && { onReport: (line) => onReport(rename(line)) }),
      ...(onStep && { onStep: (what) => onStep(rename(what)) }),
    });
  } catch (thrown) {
    throw thrown instanceof BundleError ? thrown.renamed(rename) : thrown;
  } finally {
    workspace.remove();
  }
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
