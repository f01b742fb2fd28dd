/**
 * Regular files of a folder that was scanned. There may be millions of them: what is the same of all files of a
 * folder stands once, numbers of 64 bits in columns, and what is only looked at in passing is made when it is.
 */
import { addonRows } from "../generated/spec.ts";
import type { Attributes, Contents, FileIdentity, FileNode, Xattr } from "./node.ts";

const { identity: COLUMN } = addonRows;

/** What a folder was when it was scanned. */
export interface ScannedFolder {
  /** What stands before the names, byte string. */
  readonly prefix: string;
  /** Byte strings. */
  readonly names: readonly string[];
  /** A row for each name, as `addonRows.identity` has its columns. */
  readonly identities: BigInt64Array;
}

export class ScannedIdentity implements FileIdentity {
  readonly table: BigInt64Array;
  /** In the table, as that of the folder. */
  readonly row: number;

  constructor(table: BigInt64Array, row: number) {
    this.table = table;
    this.row = row;
  }

  get dev(): bigint {
    return this.#column(COLUMN.dev);
  }

  get ino(): bigint {
    return this.#column(COLUMN.ino);
  }

  get mtimeNs(): bigint {
    return this.#column(COLUMN.mtimeNs);
  }

  get ctimeNs(): bigint {
    return this.#column(COLUMN.ctimeNs);
  }

  /** Bytes of the file. */
  get size(): number {
    return Number(this.#column(COLUMN.size));
  }

  #column(index: number): bigint {
    return this.table[this.row * COLUMN.columns + index] as bigint;
  }
}

/** Its copy is a `fileNode` of it: "..." would take neither its kind nor its contents. */
export class ScannedFile implements FileNode {
  mode: number;
  uid: number;
  gid: number;
  mtime: number;
  xattrs: readonly Xattr[];
  row = -1;
  readonly #folder: ScannedFolder;
  readonly #at: number;
  #other: Contents | undefined;

  /** @param at its row in the folder */
  constructor({ mode, uid, gid, mtime, xattrs }: Attributes, folder: ScannedFolder, at: number) {
    this.mode = mode;
    this.uid = uid;
    this.gid = gid;
    this.mtime = mtime;
    this.xattrs = xattrs;
    this.#folder = folder;
    this.#at = at;
  }

  get kind(): "file" {
    return "file";
  }

  get contents(): Contents {
    if (this.#other !== undefined) return this.#other;
    const { prefix, names, identities } = this.#folder;
    const identity = new ScannedIdentity(identities, this.#at);
    const name = names[this.#at] as string;
    return { from: "disk", folder: prefix, name, size: identity.size, identity };
  }

  set contents(contents: Contents) {
    this.#other = contents;
  }
}
