/**
 * Layers over each other, the lowest first (OCI image specification, "Image Layer Filesystem Changeset").
 *
 * What a layer takes away is taken away before it adds anything: `.wh.NAME` and `.wh..wh..opq` are about
 * lower layers only, wherever they stand in the archive.
 */
import * as errors from "../errors.ts";
import { placeEntry } from "../input/tar/place-entry.ts";
import { TarProblem } from "../input/tar/tar-header.ts";
import { directoryAt, namesOf, type Place } from "../input/tar/tree-places.ts";
import { displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import type { LayerEntry } from "./layer.ts";

export const WHITEOUT = ".wh.";
export const OPAQUE = ".wh..wh..opq";
/** Notes of AUFS, which were never part of an image. */
const META = ".wh..wh.";

/** What estargz puts into the root of a layer for its own reader. */
const LANDMARKS = new Set([".prefetch.landmark", ".no.prefetch.landmark", "stargz.index.json"]);

export interface MergeOptions {
  /** The layer, for messages. */
  shown: string;
  /** Whether devices and fifos are taken. */
  devices: boolean;
  /** Gets the paths of those that are not; byte strings. */
  leftOut: string[];
  /** A root as a whole: nothing lies below it, and no name takes anything away. */
  isWhole?: boolean;
}

/** An entry by what it does to the tree. */
type Change =
  | { does: "add"; entry: LayerEntry }
  | { does: "whiteout" | "opaque"; parent: string[]; name: string; entry: LayerEntry };

/**
 * Puts a layer over what there is.
 *
 * @throws E_LAYER_UNSAFE, E_LAYER_CORRUPT, E_PATH_INVALID, E_TREE_DEPTH
 */
export function applyLayer(
  tree: Tree,
  entries: readonly LayerEntry[],
  options: MergeOptions,
): void {
  const changes = entries.flatMap((entry) => changeOf(entry, options));
  const added = new Set<string>();
  for (const change of changes) {
    if (change.does !== "add") continue;
    added.add(namesOf(change.entry.name, refusing(options.shown, change.entry)).join("/"));
  }
  for (const change of changes) {
    if (change.does === "add") continue;
    const place = lowerPlace(tree, change.parent, added);
    if (change.does === "opaque") place?.node.entries.clear();
    else place?.node.entries.delete(change.name);
  }
  for (const change of changes) if (change.does === "add") place(tree, change.entry, options);
}

const refusing =
  (shown: string, { name }: LayerEntry) =>
  (what: string) =>
    errors.layer(
      "E_LAYER_UNSAFE",
      shown,
      `${displayPath(name)} ${what.replace("archive", "image")}`,
    );

function changeOf(entry: LayerEntry, { shown, isWhole }: MergeOptions): Change[] {
  if (isWhole) return [{ does: "add", entry }];
  const refuse = refusing(shown, entry);
  const parent = namesOf(entry.name, refuse);
  const name = parent.pop() ?? "";
  if (parent.length === 0 && LANDMARKS.has(name)) return [];
  if (name === OPAQUE) return [{ does: "opaque", parent, name, entry }];
  if ([...parent, name].some((one) => one.startsWith(META))) return [];
  if (parent.some((one) => one.startsWith(WHITEOUT))) {
    throw refuse(`is below a name that begins with ${WHITEOUT}, which takes something away`);
  }
  if (!name.startsWith(WHITEOUT)) return [{ does: "add", entry }];
  const hidden = name.slice(WHITEOUT.length);
  if (hidden === "" || hidden === "." || hidden === "..") {
    throw refuse("takes away what is no name in a folder");
  }
  return [{ does: "whiteout", parent, name: hidden, entry }];
}

/**
 * The directory of lower layers that names lead to; undefined where there is nothing to take away. A link
 * whose place the layer itself takes is followed by nobody.
 */
function lowerPlace(
  tree: Tree,
  names: readonly string[],
  added: ReadonlySet<string>,
): Place | undefined {
  const isReplaced = names.some((_, i) => {
    const path = names.slice(0, i + 1).join("/");
    return added.has(path) && tree.get(path)?.kind === "symlink";
  });
  if (isReplaced) return undefined;
  const nothing = new Error("nothing to take away");
  try {
    return directoryAt(tree.root, names, false, () => nothing);
  } catch (thrown) {
    if (thrown === nothing) return undefined;
    throw thrown;
  }
}

function place(tree: Tree, entry: LayerEntry, options: MergeOptions): void {
  const { shown, devices, leftOut } = options;
  const refuse = refusing(shown, entry);
  if (!devices && (entry.kind === "fifo" || entry.kind.endsWith("-device"))) {
    leftOut.push(entry.name);
    removeLower(tree, entry, options);
    return;
  }
  try {
    placeEntry(tree.root, entry, entry.body, refuse);
  } catch (thrown) {
    if (!(thrown instanceof TarProblem)) throw thrown;
    throw errors.layer("E_LAYER_UNSAFE", shown, thrown.message, { cause: thrown });
  }
}

/** What a device would have stood in the place of. */
function removeLower(tree: Tree, entry: LayerEntry, { shown }: MergeOptions): void {
  const refuse = refusing(shown, entry);
  const names = namesOf(entry.name, refuse);
  const last = names.pop() ?? "";
  directoryAt(tree.root, names, false, refuse)?.node.entries.delete(last);
}
