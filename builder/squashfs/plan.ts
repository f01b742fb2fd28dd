// Tree → the order in which everything is written, and a number for every inode.
//
// Directories come children first, because a directory's inode names the place of its listing and
// a listing names the places of the inodes in it. For the same reason the inodes of a directory's
// entries are written together, in name order: their numbers then differ by little and their
// places share metadata blocks, so that one listing header serves many entries.

import * as errors from "../errors.ts";
import type { DirectoryNode, FileNode, Node } from "../tree/node.ts";
import { displayPath, joinPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";

interface PlannedDirectory {
  readonly node: DirectoryNode;
  /** Byte string. */
  readonly path: string;
  /** Its entries in byte order: rows of `Plan.entries`, up to `end`. */
  readonly first: number;
  readonly end: number;
}

/**
 * The inodes by their numbers, 1..N: columns and no objects, for there may be millions, and all of them are
 * there until the image is written.
 */
class PlannedInodes {
  readonly #nodes: Node[];
  readonly #names: string[];
  /** Indexes in #folders. */
  readonly #folderOf: Uint32Array;
  readonly #folders: string[] = [];
  readonly #links: Uint32Array;
  #size = 0;

  /** @param most how many there may be */
  constructor(most: number) {
    this.#nodes = new Array(most);
    this.#names = new Array(most);
    this.#folderOf = new Uint32Array(most);
    this.#links = new Uint32Array(most);
  }

  get size(): number {
    return this.#size;
  }

  /**
   * @param folder path of the directory that has it, byte string; those of one folder are added in a row
   * @returns its number
   */
  add(node: Node, folder: string, name: string): number {
    if (this.#folders.at(-1) !== folder) this.#folders.push(folder);
    const row = this.#size++;
    this.#nodes[row] = node;
    this.#names[row] = name;
    this.#folderOf[row] = this.#folders.length - 1;
    this.#links[row] = node.kind === "directory" ? 2 + subdirectories(node) : 0;
    node.row = row;
    return this.#size;
  }

  /** Notes one more name of what is no directory. */
  link(number: number): void {
    if (this.node(number).kind !== "directory") (this.#links[number - 1] as number)++;
  }

  number(node: Node): number | undefined {
    const { row } = node;
    return row !== undefined && row < this.#size && this.#nodes[row] === node ? row + 1 : undefined;
  }

  node(number: number): Node {
    return this.#nodes[number - 1] as Node;
  }

  /** Names of a file; 2 + subdirectories of a directory. */
  links(number: number): number {
    return this.#links[number - 1] as number;
  }

  /** One of its names, byte string: the first in the order of writing. */
  name(number: number): string {
    return this.#names[number - 1] as string;
  }

  /** Path of the directory with that name, byte string. */
  folder(number: number): string {
    return this.#folders[this.#folderOf[number - 1] as number] as string;
  }

  /** Byte string. */
  path(number: number): string {
    return joinPath(this.folder(number), this.name(number));
  }
}

/** What directories list, those of one in a row. */
class PlannedEntries {
  readonly #inodes: PlannedInodes;
  readonly #numbers: Uint32Array;
  /** By row, where it is not that of the inode: further names of hard links. */
  readonly #names = new Map<number, string>();
  #size = 0;

  /** @param most how many there may be */
  constructor(inodes: PlannedInodes, most: number) {
    this.#inodes = inodes;
    this.#numbers = new Uint32Array(most);
  }

  get size(): number {
    return this.#size;
  }

  add(name: string, number: number): void {
    if (this.#inodes.name(number) !== name) this.#names.set(this.#size, name);
    this.#numbers[this.#size++] = number;
  }

  /** Byte string. */
  name(row: number): string {
    return this.#names.get(row) ?? this.#inodes.name(this.number(row));
  }

  /** Of the inode. */
  number(row: number): number {
    return this.#numbers[row] as number;
  }
}

export interface Plan {
  /** Children before parents, the root last. */
  readonly directories: readonly PlannedDirectory[];
  readonly entries: PlannedEntries;
  /** The root is the last of them. */
  readonly inodes: PlannedInodes;
  /** Regular files, hard links once, by their numbers in ascending order. */
  readonly files: Uint32Array;
}

/** The node of a number of `Plan.files`. */
export function plannedFile({ inodes }: Pick<Plan, "inodes">, number: number): FileNode {
  return inodes.node(number) as FileNode;
}

interface Draft {
  node: DirectoryNode;
  path: string;
}

/** Every directory, parents first, by a stack of our own: a tree may be deeper than the call stack. */
function directoriesOf(tree: Tree): Draft[] {
  const found: Draft[] = [];
  const seen = new Set<DirectoryNode>();
  const pending: Draft[] = [{ node: tree.root, path: "" }];
  for (let draft = pending.pop(); draft !== undefined; draft = pending.pop()) {
    if (seen.has(draft.node)) {
      throw errors.pathInvalid(displayPath(draft.path), "a directory cannot have two names");
    }
    seen.add(draft.node);
    found.push(draft);
    for (const [name, node] of sortedDirectories(draft.node).reverse()) {
      pending.push({ node, path: joinPath(draft.path, name) });
    }
  }
  return found;
}

function sortedDirectories({ entries }: DirectoryNode): [string, DirectoryNode][] {
  const found: [string, DirectoryNode][] = [];
  for (const [name, node] of entries) if (node.kind === "directory") found.push([name, node]);
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Numbers the inodes of `tree`. Throws E_PATH_INVALID where a directory stands in it twice. */
export function planTree(tree: Tree): Plan {
  const drafts = directoriesOf(tree).reverse();
  const most = drafts.reduce((sum, { node }) => sum + node.entries.size, 0);
  const inodes = new PlannedInodes(most + 1);
  const entries = new PlannedEntries(inodes, most);
  const files = new Uint32Array(most);
  let count = 0;
  const add = (node: Node, folder: string, name: string): number => {
    const number = inodes.add(node, folder, name);
    if (node.kind === "file") files[count++] = number;
    return number;
  };
  const directories = drafts.map(({ node, path }) => {
    const first = entries.size;
    for (const name of [...node.entries.keys()].sort()) {
      const entry = node.entries.get(name) as Node;
      const number = inodes.number(entry) ?? add(entry, path, name);
      inodes.link(number);
      entries.add(name, number);
    }
    return { node, path, first, end: entries.size };
  });
  add(tree.root, "", "");
  return { directories, entries, inodes, files: files.subarray(0, count) };
}

function subdirectories(directory: DirectoryNode): number {
  let count = 0;
  for (const node of directory.entries.values()) if (node.kind === "directory") count++;
  return count;
}
