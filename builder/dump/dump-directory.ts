/** A directory, mounted, extracted or any other, as a dump sees it. */
import { closeSync, openSync, readSync } from "node:fs";
import * as errors from "../errors.ts";
import { treeFromDirectory } from "../input/add-directory.ts";
import { type Node, pathOnDisk } from "../tree/node.ts";
import { bytesOf, displayPath, joinPath } from "../tree/path.ts";
import type { DumpEntry } from "./dump-entry.ts";

/** Bytes that are read at once. */
const STRETCH = 1 << 20;

/**
 * Every entry below `directory`, in no order; of extended attributes those of user. alone, when
 * `userXattrs` says so.
 *
 * @throws E_INPUT_*, E_FILE_UNREADABLE
 */
export async function directoryEntries(
  directory: string,
  userXattrs: boolean,
): Promise<DumpEntry[]> {
  const tree = await treeFromDirectory(directory, { anything: true, userXattrs });
  const entries: DumpEntry[] = [];
  const buffer = Buffer.allocUnsafe(STRETCH);
  const pending: [string, Node][] = [["", tree.root]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, node] = next;
    entries.push(entryOf(path, node, buffer));
    if (node.kind !== "directory") continue;
    for (const [name, child] of node.entries) pending.push([joinPath(path, name), child]);
  }
  return entries;
}

function entryOf(path: string, node: Node, buffer: Uint8Array): DumpEntry {
  const { kind, mode, uid, gid, mtime, xattrs } = node;
  const entry: DumpEntry = { path, kind, mode, uid, gid, mtime, xattrs, inode: node };
  if (node.kind === "symlink") entry.target = node.target;
  if (node.kind === "block-device" || node.kind === "character-device") {
    entry.device = { major: node.major, minor: node.minor };
  }
  if (node.kind === "file" && node.contents.from === "disk") {
    const { size } = node.contents;
    const file = pathOnDisk(node.contents);
    entry.file = { size, read: () => contents(file, buffer) };
  }
  return entry;
}

// Without promises: most files are small, and three of them for each would take longer than it does.
async function* contents(file: string, buffer: Uint8Array): AsyncIterable<Uint8Array> {
  try {
    const fd = openSync(bytesOf(file), "r");
    try {
      for (let length = readSync(fd, buffer); length > 0; length = readSync(fd, buffer)) {
        yield buffer.subarray(0, length);
      }
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw errors.fileUnreadable(displayPath(file), cause);
  }
}
