// Tree → the order in which everything is written, and a number for every inode.
//
// Directories come children first, because a directory's inode names the place of its listing and
// a listing names the places of the inodes in it. For the same reason the inodes of a directory's
// entries are written together, in name order: their numbers then differ by little and their
// places share metadata blocks, so that one listing header serves many entries.

import * as errors from "../errors.ts";
import type { Contents, DirectoryNode, Node } from "../tree/node.ts";
import { displayPath, joinPath } from "../tree/path.ts";
import { sortedEntries, type Tree } from "../tree/tree.ts";

export interface PlannedInode {
  readonly node: Node;
  /** One of its paths, byte string: the first in the order of writing. */
  readonly path: string;
  /** 1..N */
  readonly number: number;
  /** Names of a file; 2 + subdirectories of a directory. */
  links: number;
}

/** A regular file, and where its contents come from. */
export interface PlannedFile {
  readonly node: Node;
  readonly path: string;
  readonly contents: Contents;
}

interface PlannedDirectory {
  readonly node: DirectoryNode;
  readonly path: string;
  /** In byte order of the names. */
  readonly entries: readonly { name: string; inode: PlannedInode }[];
  /** Undefined for the root. */
  readonly parent: PlannedDirectory | undefined;
}

export interface Plan {
  /** Children before parents, the root last. */
  readonly directories: readonly PlannedDirectory[];
  readonly inodes: ReadonlyMap<Node, PlannedInode>;
  readonly root: PlannedInode;
  /** Regular files, hard links once, in the order of their inodes. */
  readonly files: readonly PlannedFile[];
}

interface Draft {
  node: DirectoryNode;
  path: string;
  parent: Draft | undefined;
  entries: { name: string; inode: PlannedInode }[];
}

/** Every directory, parents first, by a stack of our own: a tree may be deeper than the call stack. */
function directoriesOf(tree: Tree): Draft[] {
  const found: Draft[] = [];
  const seen = new Set<DirectoryNode>();
  const pending: Draft[] = [{ node: tree.root, path: "", parent: undefined, entries: [] }];
  for (let draft = pending.pop(); draft !== undefined; draft = pending.pop()) {
    if (seen.has(draft.node)) {
      throw errors.pathInvalid(displayPath(draft.path), "a directory cannot have two names");
    }
    seen.add(draft.node);
    found.push(draft);
    for (const [name, node] of sortedEntries(draft.node).reverse()) {
      if (node.kind !== "directory") continue;
      pending.push({ node, path: joinPath(draft.path, name), parent: draft, entries: [] });
    }
  }
  return found;
}

/** Numbers the inodes of `tree`. Throws E_PATH_INVALID where a directory stands in it twice. */
export function planTree(tree: Tree): Plan {
  const directories = directoriesOf(tree).reverse();
  const inodes = new Map<Node, PlannedInode>();
  const files: PlannedFile[] = [];
  const add = (node: Node, path: string): PlannedInode => {
    const inode = { node, path, number: inodes.size + 1, links: 0 };
    inodes.set(node, inode);
    if (node.kind === "file") files.push({ node, path, contents: node.contents });
    return inode;
  };
  for (const directory of directories) {
    for (const [name, node] of sortedEntries(directory.node)) {
      const inode = inodes.get(node) ?? add(node, joinPath(directory.path, name));
      if (node.kind === "directory") inode.links = 2 + subdirectories(node);
      else inode.links++;
      directory.entries.push({ name, inode });
    }
  }
  const root = add(tree.root, "");
  root.links = 2 + subdirectories(tree.root);
  return { directories, inodes, root, files };
}

function subdirectories(directory: DirectoryNode): number {
  let count = 0;
  for (const node of directory.entries.values()) if (node.kind === "directory") count++;
  return count;
}
