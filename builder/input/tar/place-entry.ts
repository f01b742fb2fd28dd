/** Entries of an archive into a tree, as extraction by root would leave them. */
import {
  type Contents,
  type DirectoryNode,
  directoryNode,
  fileNode,
  type Node,
  symlinkNode,
} from "../../tree/node.ts";
import { displayPath } from "../../tree/path.ts";
import { addEntry } from "../../tree/tree.ts";
import { isPackedXattr } from "../add-directory.ts";
import { TarProblem } from "./tar-header.ts";
import type { TarEntry } from "./tar-reader.ts";
import { directoryAt, namesOf, type Refuse } from "./tree-places.ts";

/** What of an entry outlives its place in the stream. */
export type EntryFacts = Omit<TarEntry, "contents" | "ranges" | "offset">;

/**
 * Puts an entry where its name leads. What stands there goes, but a directory takes the attributes of
 * another one.
 *
 * @param contents of a file
 * @throws TarProblem for a hard link to nothing, what `refuse` makes of a path that leads elsewhere,
 *   E_PATH_INVALID, E_TREE_DEPTH
 */
export function placeEntry(
  root: DirectoryNode,
  entry: EntryFacts,
  contents: Contents | undefined,
  refuse: Refuse,
): void {
  const names = namesOf(entry.name, refuse);
  const last = names.pop();
  if (last === undefined) {
    // "./" is the root itself; nothing else can stand there.
    if (entry.kind === "directory") Object.assign(root, attributesOf(entry));
    return;
  }
  const parent = directoryAt(root, names, true, refuse);
  const { entries } = parent.node;
  const found = entries.get(last);
  if (entry.kind === "directory" && found?.kind === "directory") {
    Object.assign(found, attributesOf(entry));
    return;
  }
  const node =
    entry.kind === "hard-link" ? linkedNode(root, entry, refuse) : nodeOf(entry, contents);
  if (node === found) return;
  entries.delete(last);
  addEntry(parent.node, last, node, [...parent.names, last].join("/"));
}

function linkedNode(root: DirectoryNode, { name, linkName }: EntryFacts, refuse: Refuse): Node {
  const names = namesOf(linkName, refuse);
  const last = names.pop() ?? "";
  const node = directoryAt(root, names, false, refuse)?.node.entries.get(last);
  if (node === undefined || node.kind === "directory") {
    const what = node === undefined ? "not there" : "a folder";
    const link = `${displayPath(name)} is a hard link to ${displayPath(linkName)}`;
    throw new TarProblem(`${link}, which is ${what}`);
  }
  return node;
}

function nodeOf(entry: EntryFacts, contents: Contents | undefined): Node {
  const attributes = attributesOf(entry);
  const { kind, major, minor } = entry;
  switch (kind) {
    case "directory":
      return directoryNode(attributes);
    case "symlink":
      // Linux gives every link this mode, whatever an archive says.
      return symlinkNode(entry.linkName, { ...attributes, mode: 0o777 });
    case "fifo":
      return { kind, ...attributes };
    case "character-device":
    case "block-device":
      return { kind, ...attributes, major, minor };
    default:
      return fileNode(contents ?? "", attributes);
  }
}

function attributesOf({ mode, uid, gid, mtime, xattrs }: EntryFacts) {
  return { mode, uid, gid, mtime, xattrs: xattrs.filter(isPackedXattr) };
}
