// A directory on disk → Tree.

import { stat } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { Breath } from "../host/breath.ts";
import {
  addon,
  type Cancellation,
  cancellable,
  fromNative,
  type ScannedDirectory,
  STATUS,
} from "../native/addon.ts";
import { exclusion } from "../tree/exclusion.ts";
import type { Attributes, DirectoryNode, Node, Xattr } from "../tree/node.ts";
import { byteString, displayPath, joinPath } from "../tree/path.ts";
import { ScannedFile, type ScannedFolder, ScannedIdentity } from "../tree/scanned-file.ts";
import { addEntry, Tree } from "../tree/tree.ts";

export interface DirectoryOptions {
  /**
   * Globs of paths to leave out, relative to the directory, without a leading slash. A directory
   * that matches is skipped whole; `*` matches dotfiles too.
   */
  exclude?: readonly string[];
  /** Take devices and fifos instead of refusing them. Sockets have nothing to pack. */
  devices?: boolean;
  /** Take whatever is there, sockets too, and be it nothing: for who only looks. */
  anything?: boolean;
  /** Take a folder that holds nothing. */
  empty?: boolean;
  /** Of extended attributes read only those that any user may see. */
  userXattrs?: boolean;
  signal?: AbortSignal;
}

// Bits of st_mode, from <sys/stat.h>.
const S_IFMT = 0o170000;
const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const S_IFDIR = 0o040000;
const S_IFBLK = 0o060000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

const SOCKET_HINT: errors.FailureText = (name) =>
  `A socket has no content to pack: remove it, or leave it out with ${name("exclude")}.`;

/** Directories that are read ahead, by the threads that libuv has. */
const AHEAD = 4;

interface PendingDirectory {
  node: DirectoryNode;
  /** Below the root of the tree, byte string. */
  path: string;
}

interface ReadDirectory extends PendingDirectory {
  scanned: Promise<ScannedDirectory>;
}

/**
 * Reads the tree below `directory`; contents are read later, when the image is written, and then
 * checked to be what was seen here. `directory` may be a symbolic link, what is in it is not followed.
 *
 * @param directory text, or the bytes of an absolute path
 *
 * Throws E_INPUT_MISSING, E_INPUT_NOT_DIRECTORY, E_INPUT_EMPTY, and for a path inside
 * E_FILE_UNREADABLE, E_FILE_KIND or E_FILE_CHANGED.
 */
export async function treeFromDirectory(
  directory: string | Buffer,
  options: DirectoryOptions = {},
): Promise<Tree> {
  options.signal?.throwIfAborted();
  await checkDirectory(directory);
  return cancellable(options.signal, (cancellation) =>
    new DirectoryScan(directory, options, cancellation).run(),
  );
}

async function checkDirectory(directory: string | Buffer): Promise<void> {
  const shown = shownDirectory(directory);
  try {
    const status = await stat(directory);
    if (!status.isDirectory()) {
      throw errors.inputNotDirectory(shown, status.isFile() ? "a file" : "a special file");
    }
  } catch (cause) {
    const code = errors.errnoCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") throw errors.inputMissing(shown, cause);
    if (cause instanceof errors.BundleError) throw cause;
    throw errors.fileUnreadable(shown, cause);
  }
}

function shownDirectory(directory: string | Buffer): string {
  return typeof directory === "string" ? directory : displayPath(directory.toString("latin1"));
}

class DirectoryScan {
  private readonly base: string;
  private readonly excluded: (path: string) => boolean;
  private readonly options: DirectoryOptions;
  private readonly cancellation: Cancellation;
  private readonly breath: Breath;
  /** Inodes with several names, by device and inode number. */
  private readonly links = new Map<string, Node>();
  private readonly pending: PendingDirectory[] = [];

  constructor(directory: string | Buffer, options: DirectoryOptions, cancellation: Cancellation) {
    const absolute =
      typeof directory === "string"
        ? byteString(path.resolve(directory))
        : directory.toString("latin1");
    this.base = absolute.replace(/\/+$/, "");
    this.options = options;
    this.cancellation = cancellation;
    this.breath = new Breath(options.signal);
    this.excluded = exclusion(options.exclude ?? []);
  }

  async run(): Promise<Tree> {
    const tree = new Tree();
    this.pending.push({ node: tree.root, path: "" });
    try {
      const reading: ReadDirectory[] = [];
      for (;;) {
        while (reading.length < AHEAD && this.pending.length > 0) {
          reading.push(this.begin(this.pending.pop() as PendingDirectory));
        }
        const next = reading.shift();
        if (next === undefined) break;
        await this.read(next);
      }
    } finally {
      addon().cancel(this.cancellation); // what was begun ahead of a failure
    }
    if (tree.root.entries.size === 0 && !this.options.anything && !this.options.empty)
      throw errors.inputEmpty(displayPath(this.shown("")));
    return tree;
  }

  private shown(path: string): string {
    return path === "" ? this.base || "/" : `${this.base}/${path}`;
  }

  private onDisk(path: string): string {
    // "/." resolves a symbolic link that the user named; deeper ones never are.
    return `${this.base}/${path === "" ? "." : path}`;
  }

  /** What stands before a name in the directory: one string for all of them. */
  private inside(path: string): string {
    return path === "" ? `${this.base}/` : `${this.base}/${path}/`;
  }

  private begin(directory: PendingDirectory): ReadDirectory {
    const where = this.onDisk(directory.path);
    const { userXattrs = false } = this.options;
    const scanned = addon().scanDirectory(where, userXattrs, this.cancellation);
    scanned.catch(() => {}); // It is heard when its turn comes, unless another failed before.
    return { ...directory, scanned };
  }

  private async read(directory: ReadDirectory): Promise<void> {
    const scanned = await directory.scanned.catch((thrown: unknown) => {
      throw this.failure(thrown, directory.path);
    });
    if (directory.path === "") {
      if (scanned.failures[0] !== undefined) throw this.failure(scanned.failures[0], "");
      Object.assign(directory.node, attributesOf(scanned, 0));
    }
    const { names, identities } = scanned;
    const folder = { prefix: this.inside(directory.path), names, identities };
    for (let row = 1; row < names.length; row++) {
      const name = names[row] as string;
      const path = joinPath(directory.path, name);
      if (this.excluded(Buffer.from(path, "latin1").toString("utf8"))) continue;
      const failure = scanned.failures[row];
      if (failure !== undefined) throw this.failure(failure, path);
      addEntry(directory.node, name, this.node(scanned, row, path, folder), path);
      if (this.breath.isDue) await this.breath.take();
    }
  }

  private failure(thrown: unknown, path: string): unknown {
    return fromNative(Object.assign(thrown as object, { path: this.shown(path) }));
  }

  private node(scanned: ScannedDirectory, row: number, path: string, folder: ScannedFolder): Node {
    const type = statusOf(scanned, row, "mode") & S_IFMT;
    if (type === S_IFDIR) {
      const node: DirectoryNode = {
        kind: "directory",
        ...attributesOf(scanned, row),
        entries: new Map(),
      };
      this.pending.push({ node, path });
      return node;
    }
    if (statusOf(scanned, row, "nlink") <= 1) return this.leaf(scanned, row, path, type, folder);
    const { dev, ino } = new ScannedIdentity(folder.identities, row);
    const key = `${dev}:${ino}`;
    const node = this.links.get(key) ?? this.leaf(scanned, row, path, type, folder);
    this.links.set(key, node);
    return node;
  }

  private leaf(
    scanned: ScannedDirectory,
    row: number,
    path: string,
    type: number,
    folder: ScannedFolder,
  ): Node {
    const attributes = attributesOf(scanned, row);
    switch (type) {
      case S_IFREG:
        return new ScannedFile(attributes, folder, row);
      case S_IFLNK:
        return { kind: "symlink", ...attributes, target: scanned.targets[row] as string };
      case S_IFCHR:
      case S_IFBLK: {
        const kind = type === S_IFCHR ? "character-device" : "block-device";
        this.requireDevices(path, kind);
        return { kind, ...attributes, ...deviceNumbers(scanned, row) };
      }
      case S_IFIFO:
        this.requireDevices(path, "fifo");
        return { kind: "fifo", ...attributes };
      default:
        if (this.options.anything) return { kind: "socket", ...attributes };
        throw errors.fileKind(displayPath(this.shown(path)), "socket", SOCKET_HINT);
    }
  }

  private requireDevices(path: string, kind: string): void {
    if (this.options.devices === true || this.options.anything === true) return;
    throw errors.fileKind(displayPath(this.shown(path)), kind.replace("-", " "));
  }
}

/**
 * Attributes that say what this host did to a file rather than what the file is: labels of its
 * security modules and overlayfs's notes. Kept, they would make the same input differ by machine.
 */
const HOST_XATTR =
  /^(security\.(selinux|ima|evm|apparmor|SMACK64.*)|trusted\.overlay\..*|user\.overlay\..*)$/;

/** Prefixes that squashfs has numbers for; POSIX ACLs (system.*) have none. */
const STORED_XATTR = /^(user|trusted|security)\../s;

/** True for an attribute that is part of what a file is, wherever it lies. */
export function isPackedXattr({ name }: Xattr): boolean {
  return STORED_XATTR.test(name) && !HOST_XATTR.test(name);
}

/** Of nearly all files, so one for all. */
const NO_XATTRS: readonly Xattr[] = [];

function statusOf(
  { status }: ScannedDirectory,
  row: number,
  name: Exclude<keyof typeof STATUS, "columns">,
): number {
  return status[row * STATUS.columns + STATUS[name]] as number;
}

function attributesOf(scanned: ScannedDirectory, row: number): Attributes {
  return {
    mode: statusOf(scanned, row, "mode") & 0o7777,
    uid: statusOf(scanned, row, "uid"),
    gid: statusOf(scanned, row, "gid"),
    mtime: statusOf(scanned, row, "mtime"),
    xattrs: scanned.xattrs[row]?.filter(isPackedXattr) ?? NO_XATTRS,
  };
}

function deviceNumbers(scanned: ScannedDirectory, row: number): { major: number; minor: number } {
  return { major: statusOf(scanned, row, "major"), minor: statusOf(scanned, row, "minor") };
}
