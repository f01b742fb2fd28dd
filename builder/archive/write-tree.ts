/** A tree → a folder of the workspace, for kinds of app that read folders. */
import {
  chmodSync,
  createWriteStream,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as errors from "../errors.ts";
import { Breath } from "../host/breath.ts";
import { type DirectoryNode, type FileNode, type Node, pathOnDisk } from "../tree/node.ts";
import { byteString, bytesOf } from "../tree/path.ts";
import { readContents } from "../tree/read-contents.ts";
import type { Entry, Tree } from "../tree/tree.ts";

export interface WriteTreeOptions {
  /** Files below it are the caller's own, and are moved in place of being copied. */
  spool: string;
  /** Give files to whom the tree says; takes root. */
  owners: boolean;
  signal?: AbortSignal | undefined;
}

/** Of mtime on a file system, seconds since 1970. */
const TIME_MAX = 2 ** 32 - 1;

/**
 * Writes the tree into a folder that is made for it. Its owner can read all of it whatever its modes
 * say; devices and fifos are left to the tree, whose files have what was written as their contents.
 *
 * No path leads through a link: each parent is a directory that was made here.
 *
 * @param folder text
 * @throws E_OUTPUT_*, E_FILE_CHANGED, E_FILE_UNREADABLE for the contents
 */
export async function writeTree(
  tree: Tree,
  folder: string,
  { spool, owners, signal }: WriteTreeOptions,
): Promise<void> {
  // Calls of a few microseconds: the thread pool would take longer than they do.
  const breath = new Breath(signal);
  const files = new Map<FileNode, string>();
  const others: (Entry & { at: string })[] = [];
  const base = byteString(folder);
  const place = (path: string) => (path === "" ? base : `${base}/${path}`);
  try {
    for (const { path, node } of tree.walk()) {
      if (breath.isDue) await breath.take();
      const at = place(path);
      const first = node.kind === "file" ? files.get(node) : undefined;
      if (first !== undefined) linkSync(bytesOf(first), bytesOf(at));
      else if (node.kind === "file") {
        await writeFile(node, at, `${byteString(spool)}/`);
        files.set(node, at);
      } else if (node.kind === "directory") mkdirSync(bytesOf(at), { mode: 0o700 });
      else if (node.kind === "symlink") symlinkSync(bytesOf(node.target), bytesOf(at));
      else continue;
      if (node.kind !== "file") others.push({ path, node, at });
    }
    for (const [node, at] of files) {
      if (breath.isDue) await breath.take();
      finishFile(node, at, owners);
    }
    // What is in a directory changes its time.
    for (const { node, at } of others.reverse()) finish(node, at, owners);
  } catch (cause) {
    if (cause instanceof errors.BundleError || errors.errnoCode(cause) === undefined) throw cause;
    throw errors.outputFailed(folder, "writing", cause);
  }
}

async function writeFile({ contents }: FileNode, at: string, spool: string): Promise<void> {
  const isOurs = contents.from === "disk" && contents.change === undefined;
  const source = isOurs ? pathOnDisk(contents) : "";
  if (source.startsWith(spool)) renameSync(bytesOf(source), bytesOf(at));
  else if (contents.from === "memory") {
    writeFileSync(bytesOf(at), contents.bytes, { flag: "wx", mode: 0o600 });
  } else {
    const out = createWriteStream(bytesOf(at), { flags: "wx", mode: 0o600 });
    await pipeline(Readable.from(readContents(contents), { objectMode: false }), out);
  }
}

function finishFile(node: FileNode, at: string, owners: boolean): void {
  finish(node, at, owners);
  const { size, dev, ino, mtimeNs, ctimeNs } = lstatSync(bytesOf(at), { bigint: true });
  const cut = at.lastIndexOf("/") + 1;
  node.contents = {
    from: "disk",
    folder: at.slice(0, cut),
    name: at.slice(cut),
    size: Number(size),
    identity: { dev, ino, mtimeNs, ctimeNs },
  };
}

/** What its owner may do at least. */
const least = (node: FileNode | DirectoryNode) => (node.kind === "file" ? 0o400 : 0o700);

function finish(node: Node, at: string, owners: boolean): void {
  const file = bytesOf(at);
  const time = Math.min(Math.max(node.mtime, 0), TIME_MAX);
  if (owners) lchownSync(file, node.uid, node.gid); // takes set-id bits away, so it comes first
  if (node.kind === "file" || node.kind === "directory") {
    chmodSync(file, node.mode | least(node));
    utimesSync(file, time, time);
  } else {
    lutimesSync(file, time, time);
  }
}
