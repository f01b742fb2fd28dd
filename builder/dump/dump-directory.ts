/** A directory, mounted, extracted or any other, as a dump sees it. */

import { treeFromDirectory } from "../input/add-directory.ts";
import type { Node } from "../tree/node.ts";
import { joinPath } from "../tree/path.ts";
import { readContents } from "../tree/read-contents.ts";
import type { DumpEntry } from "./dump-entry.ts";

/**
 * Every entry below `directory`, in no order; of extended attributes those of user. alone, when
 * `userXattrs` says so.
 *
 * @throws E_INPUT_*, E_FILE_UNREADABLE; reading a file throws E_FILE_CHANGED, too
 */
export async function directoryEntries(
  directory: string,
  userXattrs: boolean,
): Promise<DumpEntry[]> {
  const tree = await treeFromDirectory(directory, { anything: true, userXattrs });
  const entries: DumpEntry[] = [];
  const pending: [string, Node][] = [["", tree.root]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, node] = next;
    entries.push(entryOf(path, node));
    if (node.kind !== "directory") continue;
    for (const [name, child] of node.entries) pending.push([joinPath(path, name), child]);
  }
  return entries;
}

function entryOf(path: string, node: Node): DumpEntry {
  const { kind, mode, uid, gid, mtime, xattrs } = node;
  const entry: DumpEntry = { path, kind, mode, uid, gid, mtime, xattrs, inode: node };
  if (node.kind === "symlink") entry.target = node.target;
  if (node.kind === "block-device" || node.kind === "character-device") {
    entry.device = { major: node.major, minor: node.minor };
  }
  if (node.kind === "file" && node.contents.from === "disk") {
    const { contents } = node;
    entry.file = { size: contents.size, read: () => readContents(contents) };
  }
  return entry;
}
