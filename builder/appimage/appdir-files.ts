/** Files of a tree, read whole or by their start. */

import * as errors from "../errors.ts";
import { contentSize, type FileNode } from "../tree/node.ts";
import { displayPath, joinPath } from "../tree/path.ts";
import { readContents } from "../tree/read-contents.ts";
import { resolvePath } from "../tree/resolve.ts";
import { sortedEntries, type Tree } from "../tree/tree.ts";

/** A regular file of a tree, found by a path whose links were followed. */
export interface TreeFile {
  /** As it was asked for, byte string. */
  path: string;
  /** The same for messages. */
  shown: string;
  node: FileNode;
}

/** The regular file at `path`, or undefined. */
export function findFile(tree: Tree, path: string): TreeFile | undefined {
  const resolved = resolvePath(tree, path);
  if (!("found" in resolved) || resolved.found.kind !== "file") return undefined;
  return { path, shown: displayPath(path), node: resolved.found };
}

/** Regular files of a folder whose names match, in byte order; none where it is no folder. */
export function filesIn(tree: Tree, folder: string, pattern: RegExp): TreeFile[] {
  const dir = resolvePath(tree, folder);
  if (!("found" in dir) || dir.found.kind !== "directory") return [];
  return sortedEntries(dir.found)
    .filter(([name]) => pattern.test(name))
    .flatMap(([name]) => findFile(tree, joinPath(folder, name)) ?? []);
}

/** Larger texts and icons than this are none. Bytes. */
const LIMIT = 64 << 20;

/** @throws E_FILE_UNREADABLE, E_FILE_CHANGED, E_IMAGE_LIMIT */
export async function readWhole({ node, shown }: TreeFile): Promise<Buffer> {
  const size = contentSize(node.contents);
  if (size > LIMIT) throw errors.imageLimit(shown, `${size} bytes; at most ${LIMIT} are read`);
  const parts: Uint8Array[] = [];
  for await (const part of readContents(node.contents)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}
