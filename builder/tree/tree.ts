// The in-memory file tree that every input becomes and every image is written from.

import { pathInvalid, treeDepth } from "../errors.ts";
import { type Attributes, type DirectoryNode, directoryNode, type Node } from "./node.ts";
import { checkName, checkTarget, displayPath, joinPath, splitPath } from "./path.ts";

export interface Entry {
  /** From the root, without a leading slash; "" is the root. Byte string. */
  readonly path: string;
  readonly node: Node;
}

export class Tree {
  readonly root: DirectoryNode;

  constructor(attributes: Partial<Attributes> = {}) {
    this.root = directoryNode(attributes);
  }

  /** The node at `path`, or undefined. Symbolic links are not followed. */
  get(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    for (const name of splitPath(path)) {
      if (node?.kind !== "directory") return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  /**
   * Adds `node` at `path`, making directories that are missing (mode 0755). A node that already
   * stands elsewhere becomes a hard link. Throws E_PATH_INVALID.
   */
  add(path: string, node: Node): void {
    const names = splitPath(path);
    const last = names.pop();
    if (last === undefined) throw pathInvalid("/", "the root of the tree cannot be replaced");
    let parent = this.root;
    for (const name of names) {
      let next = parent.entries.get(name);
      if (next === undefined) {
        next = directoryNode();
        parent.entries.set(name, next);
      }
      if (next.kind !== "directory")
        throw pathInvalid(displayPath(path), `${displayPath(name)} is not a directory`);
      parent = next;
    }
    addEntry(parent, last, node, path);
  }

  /** Every entry, parents first, names in byte order. Hard links are visited once for each name. */
  *walk(): Generator<Entry> {
    const pending: Entry[] = [{ path: "", node: this.root }];
    for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
      yield entry;
      if (entry.node.kind !== "directory") continue;
      const children = sortedEntries(entry.node);
      for (let i = children.length - 1; i >= 0; i--) {
        const [name, node] = children[i] as [string, Node];
        pending.push({ path: joinPath(entry.path, name), node });
      }
    }
  }
}

/**
 * Levels of directories below the root. Extraction, here and in the runtime, keeps one directory
 * open for each and ends at 256.
 */
const DEPTH_MAX = 250;

/** Adds one checked entry to a directory; `path` is where it stands. Throws E_PATH_INVALID, E_TREE_DEPTH. */
export function addEntry(parent: DirectoryNode, name: string, node: Node, path: string): void {
  checkName(name, path);
  if (node.kind === "symlink") checkTarget(node.target, path);
  const depth = path.split("/").length - (node.kind === "directory" ? 0 : 1);
  if (depth > DEPTH_MAX) throw treeDepth(displayPath(path), DEPTH_MAX, depth);
  if (parent.entries.has(name)) throw pathInvalid(displayPath(path), "the name is already taken");
  parent.entries.set(name, node);
}

/** The entries of a directory by byte order of their names, as an image stores them. */
export function sortedEntries(directory: DirectoryNode): [string, Node][] {
  return [...directory.entries].sort(([a], [b]) => (a < b ? -1 : 1));
}
