/** Folders of an app's tree that are to appear at paths of their own. */
import * as errors from "../errors.ts";
import { type FolderMap, isProblem, parseMap } from "../manifest/folder-map.ts";
import { byteString, displayPath } from "../tree/path.ts";
import { resolvePath } from "../tree/resolve.ts";
import type { Tree } from "../tree/tree.ts";

/**
 * The maps of a build, as byte strings. Their folders are named without links, because a start follows
 * none in an image.
 *
 * @param texts each `DIR=PATH`, checked
 * @throws E_MAP_SOURCE when the tree has no such folder
 */
export function mapsOf(tree: Tree, texts: readonly string[]): FolderMap[] {
  return texts.map((text) => {
    const map = parseMap(byteString(text));
    if (isProblem(map)) throw errors.map(map.code, text, map.what);
    const resolved = resolvePath(tree, map.source);
    const refuse = (found: string) => errors.mapSource(text, displayPath(map.source), found);
    if ("missing" in resolved) throw refuse("is not in the image");
    if ("outside" in resolved) throw refuse(`leads out of the image, ${resolved.outside}`);
    if ("loop" in resolved) throw refuse("is a link that leads to itself");
    if (resolved.found.kind !== "directory") throw refuse(`is a ${resolved.found.kind}`);
    return { ...map, source: resolved.path || "." };
  });
}

/** One line for people. */
export function explainMap({ source, path, optional, hides }: FolderMap): string {
  const what = source === "." ? "the whole image" : `${displayPath(source)}/`;
  const where = [
    displayPath(path),
    ...(hides ? ["in place of a folder that is there"] : []),
    ...(optional ? ["or not, where it cannot"] : []),
  ];
  return `map: ${what} appears at ${where.join(", ")}`;
}
