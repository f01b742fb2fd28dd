/** The program of an input that is packed as it is: a folder's entrypoint, or the file itself. */

import path from "node:path";
import { pathOnDisk } from "../tree/node.ts";
import { byteString } from "../tree/path.ts";
import { resolvePath } from "../tree/resolve.ts";
import type { Tree } from "../tree/tree.ts";
import { chooseEntry } from "./choose-entry.ts";
import type { DetectInput } from "./kind.ts";

/**
 * Path of the program in the tree, byte string.
 *
 * @throws as `chooseEntry`
 */
export function entryOf(source: DetectInput, tree: Tree): string {
  if (!source.isDirectory) return `bin/${byteString(path.basename(source.path))}`;
  const { shown: dir, entry, name, maps } = source;
  return chooseEntry(tree, { dir, entry, name, maps });
}

/** Where the program is on this machine: links are followed inside of the tree only. */
export function entryFile(source: DetectInput, tree: Tree, entry: string): string {
  const resolved = resolvePath(tree, entry);
  const node = "found" in resolved ? resolved.found : undefined;
  if (node?.kind !== "file" || node.contents.from !== "disk") return source.path;
  return Buffer.from(pathOnDisk(node.contents), "latin1").toString("utf8");
}

/** First bytes of the program. */
export function entryHead(
  source: DetectInput,
  tree: Tree,
  entry: string,
): Promise<Buffer | undefined> {
  return source.head(path.relative(source.path, entryFile(source, tree, entry)));
}
