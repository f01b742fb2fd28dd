/** The files of a libc as they come into a tree, and what they add to it. */
import { createHash } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { OwnLoader } from "../../elf/own-loader.ts";
import * as errors from "../../errors.ts";
import { readRegularFile } from "../../host/status.ts";
import { addFile, diskContents } from "../../input/add-input.ts";
import {
  type Contents,
  contentSize,
  type DirectoryNode,
  type FileNode,
  fileNode,
} from "../../tree/node.ts";
import { byteString } from "../../tree/path.ts";
import type { Tree } from "../../tree/tree.ts";
import type { ElfChanges } from "../elf-changes.ts";
import type { ElfObject } from "../elf-objects.ts";
import { withinSysroot } from "./sysroot.ts";

/** Where a file of the tree is: by each of its names. */
interface Place {
  parent: DirectoryNode;
  name: string;
  /** Folders between the root of the tree and the file. */
  depth: number;
}

export class LibcFiles {
  readonly #tree: Tree;
  readonly #sysroot: string;
  readonly #workspace: string;
  readonly #name: string;
  readonly #places: ReadonlyMap<unknown, readonly Place[]>;
  readonly #added: FileNode[] = [];
  #copies = 0;
  /** What programs became longer by. */
  #grown = 0;

  /**
   * @param given.sysroot below which links lead to places of it; "" for this machine
   * @param given.workspace private temporary folder
   * @param name what its files there start with
   */
  constructor(given: { tree: Tree; sysroot: string; workspace: string }, name: string) {
    const { tree, sysroot, workspace } = given;
    this.#tree = tree;
    this.#sysroot = sysroot;
    this.#workspace = workspace;
    this.#name = name;
    this.#places = placesOf(tree);
  }

  /** Files that were added. */
  get added(): readonly FileNode[] {
    return this.#added;
  }

  /** Bytes that the tree became larger by, before compression. */
  get bytes(): number {
    return this.#added.reduce((sum, { contents }) => sum + contentSize(contents), this.#grown);
  }

  /** Adds a file of the machine, changed where `change` says how. */
  async add(
    at: string,
    file: string,
    mode: number,
    change?: (bytes: Buffer) => Buffer | Promise<Buffer>,
  ): Promise<void> {
    const real = withinSysroot(this.#sysroot, file);
    if (real === undefined) throw errors.fileUnreadable(file, missing());
    const bytes = readRegular(real, file);
    // Blocks of what has a digest are kept between builds: a libc is the same each time.
    const digest = (of: Buffer) => createHash("sha256").update(of).digest("hex");
    if (change === undefined) {
      const node = await addFile(this.#tree, at, real, mode);
      if (node.contents.from === "disk")
        node.contents = { ...node.contents, digest: digest(bytes) };
      this.#added.push(node);
      return;
    }
    const changed = await change(bytes);
    const contents = await this.#copy(changed);
    const known = contents.from === "disk" ? { ...contents, digest: digest(changed) } : contents;
    this.#addNode(at, fileNode(known, { mode }));
  }

  addText(at: string, text: string): void {
    this.#addNode(at, fileNode(text));
  }

  /** Adds the files of a folder of the machine, and of the folders in it. */
  async addFolder(at: string, folder: string): Promise<void> {
    const entries = await readdir(folder, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = path.join(folder, entry.name);
      const name = `${at}/${byteString(entry.name)}`;
      if (entry.isDirectory()) await this.addFolder(name, file);
      else await this.add(name, file, 0o644);
    }
  }

  #addNode(at: string, node: FileNode): void {
    this.#tree.add(at, node);
    this.#added.push(node);
  }

  /**
   * Lets a program of the tree start by this libc. A file with names in folders of several depths becomes
   * one file for each of them, because its start is told how deep it lies.
   */
  async start(
    program: ElfObject,
    changes: ElfChanges,
    loader: Omit<OwnLoader, "root">,
  ): Promise<void> {
    const { node } = program;
    if (node === undefined) return;
    const make = changes.take(node);
    const byDepth = new Map<number, FileNode>();
    for (const { parent, name, depth } of this.#places.get(node) ?? []) {
      let own = byDepth.get(depth);
      if (own === undefined) {
        const { contents, led } = await make({ loader: { ...loader, root: depth }, program });
        if (byDepth.size === 0) node.contents = contents;
        own = byDepth.size === 0 ? node : fileNode(contents, node);
        this.#grown += contentSize(contents) - (byDepth.size === 0 ? led : 0);
        byDepth.set(depth, own);
      }
      parent.entries.set(name, own);
    }
  }

  async #copy(bytes: Buffer): Promise<Contents> {
    const copy = path.join(this.#workspace, `${this.#name}-${this.#copies++}`);
    await writeFile(copy, bytes);
    return diskContents(copy);
  }
}

/** @throws E_FILE_UNREADABLE */
function readRegular(real: string, file: string): Buffer {
  try {
    return readRegularFile(real);
  } catch (cause) {
    throw errors.fileUnreadable(file, cause);
  }
}

/** What the system says of a link that leads nowhere: one of a sysroot may lead somewhere here. */
const missing = () => Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT" });

function placesOf(tree: Tree): Map<unknown, Place[]> {
  const places = new Map<unknown, Place[]>();
  for (const { path: at, node } of tree.walk()) {
    if (node.kind !== "directory") continue;
    const depth = at === "" ? 0 : at.split("/").length;
    for (const [name, child] of node.entries) {
      if (child.kind !== "file") continue;
      const known = places.get(child) ?? [];
      known.push({ parent: node, name, depth });
      places.set(child, known);
    }
  }
  return places;
}
