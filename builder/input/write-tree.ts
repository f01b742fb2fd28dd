/** A tree → a folder of the workspace, for kinds of app that read folders. */
import { createWriteStream } from "node:fs";
import {
  chmod,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  rename,
  symlink,
  utimes,
} from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { readContents } from "../archive/zip-contents.ts";
import * as errors from "../errors.ts";
import { type DirectoryNode, type FileNode, type Node, pathOnDisk } from "../tree/node.ts";
import { byteString, bytesOf } from "../tree/path.ts";
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
  const files = new Map<FileNode, string>();
  const others: (Entry & { at: string })[] = [];
  const base = byteString(folder);
  const place = (path: string) => (path === "" ? base : `${base}/${path}`);
  try {
    for (const { path, node } of tree.walk()) {
      signal?.throwIfAborted();
      const at = place(path);
      const first = node.kind === "file" ? files.get(node) : undefined;
      if (first !== undefined) await link(bytesOf(first), bytesOf(at));
      else if (node.kind === "file") {
        await writeFile(node, at, `${byteString(spool)}/`);
        files.set(node, at);
      } else if (node.kind === "directory") await mkdir(bytesOf(at), { mode: 0o700 });
      else if (node.kind === "symlink") await symlink(bytesOf(node.target), bytesOf(at));
      else continue;
      if (node.kind !== "file") others.push({ path, node, at });
    }
    for (const [node, at] of files) await finishFile(node, at, owners);
    // What is in a directory changes its time.
    for (const { node, at } of others.reverse()) await finish(node, at, owners);
  } catch (cause) {
    if (cause instanceof errors.BundleError || errors.errnoCode(cause) === undefined) throw cause;
    throw errors.outputFailed(folder, "writing", cause);
  }
}

async function writeFile({ contents }: FileNode, at: string, spool: string): Promise<void> {
  const isOurs = contents.from === "disk" && contents.change === undefined;
  const source = isOurs ? pathOnDisk(contents) : "";
  if (source.startsWith(spool)) await rename(bytesOf(source), bytesOf(at));
  else {
    const out = createWriteStream(bytesOf(at), { flags: "wx", mode: 0o600 });
    await pipeline(Readable.from(readContents(contents), { objectMode: false }), out);
  }
}

async function finishFile(node: FileNode, at: string, owners: boolean): Promise<void> {
  await finish(node, at, owners);
  const { size, dev, ino, mtimeNs, ctimeNs } = await lstat(bytesOf(at), { bigint: true });
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

async function finish(node: Node, at: string, owners: boolean): Promise<void> {
  const file = bytesOf(at);
  const time = Math.min(Math.max(node.mtime, 0), TIME_MAX);
  if (owners) await lchown(file, node.uid, node.gid); // takes set-id bits away, so it comes first
  if (node.kind === "file" || node.kind === "directory") {
    await chmod(file, node.mode | least(node));
    await utimes(file, time, time);
  } else {
    await lutimes(file, time, time);
  }
}
