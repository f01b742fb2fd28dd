/** Whole trees: what is taken out of one, and one put into another. */
import { inputConflict } from "../errors.ts";
import { type DirectoryNode, directoryNode, type Node } from "./node.ts";
import { displayPath, joinPath, splitPath } from "./path.ts";
import { addEntry, type Tree } from "./tree.ts";

/** Takes out what `isOut` says; a directory goes with all it holds. */
export function prune(tree: Tree, isOut: (path: string, isDirectory: boolean) => boolean): void {
  const pending: { node: DirectoryNode; path: string }[] = [{ node: tree.root, path: "" }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const [name, node] of next.node.entries) {
      const path = joinPath(next.path, name);
      const isDirectory = node.kind === "directory";
      if (isOut(Buffer.from(path, "latin1").toString("utf8"), isDirectory)) {
        next.node.entries.delete(name);
      } else if (isDirectory) {
        pending.push({ node, path });
      }
    }
  }
}

/**
 * Puts the entries of `from` into the directory `place` of `tree`, which is made where it is missing.
 * Directories become one, with the attributes that the first had.
 *
 * @param place below the root, byte string; "" is the root
 * @throws E_INPUT_CONFLICT where a name stands for something else already, E_PATH_INVALID
 */
export function merge(tree: Tree, place: string, from: Tree): void {
  let into: DirectoryNode = tree.root;
  const names = splitPath(place);
  for (const [i, name] of names.entries()) {
    const found = into.entries.get(name);
    const path = names.slice(0, i + 1).join("/");
    if (found !== undefined && found.kind !== "directory") throw taken(path, found, from.root);
    const next = found ?? directoryNode(i === names.length - 1 ? attributesOf(from.root) : {});
    if (found === undefined) addEntry(into, name, next, path);
    into = next;
  }
  const pending = [{ into, from: from.root, path: place }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const [name, node] of next.from.entries) {
      const path = joinPath(next.path, name);
      const found = next.into.entries.get(name);
      if (found === undefined) addEntry(next.into, name, node, path);
      else if (found.kind === "directory" && node.kind === "directory") {
        pending.push({ into: found, from: node, path });
      } else throw taken(path, found, node);
    }
  }
}

const taken = (path: string, found: Node, other: Node) =>
  inputConflict(
    displayPath(path),
    "a directory in both, or in one of them",
    `a ${found.kind} in one and a ${other.kind} in another`,
  );

function attributesOf({ mode, uid, gid, mtime, xattrs }: Node) {
  return { mode, uid, gid, mtime, xattrs };
}
