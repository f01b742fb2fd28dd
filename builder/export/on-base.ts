/** The layer of a bundle over the layers of a base: what stands there decides what ours means. */
import type { DumpEntry } from "../dump/dump-entry.ts";
import * as errors from "../errors.ts";
import { displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import { folder } from "./root-files.ts";
import { userIn } from "./users.ts";

/**
 * The entries with the folders that lead to them. Without an entry of its own such a folder gets the owner and mode of
 * whoever unpacks the layer, by some engines over those of the base; so it has those of the base here, or root's.
 *
 * @param entries of the layer, in the order of their paths
 * @param mtime of folders that the base has not, seconds since 1970
 * @throws E_EXPORT_INPUT where a folder of the layer is a link or a file in the base: one engine follows a link and
 *   another puts a folder in its place
 */
export function entriesOnBase(
  entries: readonly DumpEntry[],
  base: Tree,
  mtime: number,
): DumpEntry[] {
  const made = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path, kind } of entries) {
    for (const parent of parentsOf(path)) {
      if (!made.has(parent)) made.set(parent, folderOf(parent, base, mtime));
    }
    if (kind === "directory") requireFolder(path, base);
  }
  return [...made.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function* parentsOf(path: string): Generator<string> {
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) yield path.slice(0, at);
}

function folderOf(path: string, base: Tree, mtime: number): DumpEntry {
  requireFolder(path, base);
  const there = base.get(path);
  const made = folder(path, 0o755, mtime);
  if (there === undefined) return made;
  return {
    ...made,
    mode: there.mode,
    uid: there.uid,
    gid: there.gid,
    mtime: there.mtime,
    xattrs: there.xattrs,
  };
}

function requireFolder(path: string, base: Tree): void {
  const there = path === "" ? undefined : base.get(path);
  if (there === undefined || there.kind === "directory") return;
  const what =
    there.kind === "symlink"
      ? `is a symbolic link to ${displayPath(there.target)} in the base, and the bundle has a folder there: name a path without links (--at)`
      : `is no folder in the base, and the bundle has one there: name another path (--at)`;
  throw errors.exportInput(`/${displayPath(path)}`, what);
}

const LISTS = ["etc/passwd", "etc/group"];

/**
 * A user is looked up in the files of the whole image. Where one is there by a link, or has more than a list can, nobody knows here.
 *
 * @throws E_EXPORT_INPUT for a name that it has not
 */
export async function requireUserOnBase(
  entries: readonly DumpEntry[],
  base: Tree,
  user: string | undefined,
): Promise<void> {
  if (user === undefined || user === "") return;
  const lists: DumpEntry[] = [];
  for (const path of LISTS) {
    const own = entries.find((entry) => entry.path === path);
    const there = base.get(path);
    if (own?.kind === "file") lists.push(own);
    else if (own !== undefined) return;
    else if (there?.kind === "file" && there.contents.from === "memory") {
      const { bytes } = there.contents;
      const read = async function* () {
        yield bytes;
      };
      const file = { size: bytes.length, read };
      const { mode, uid, gid, mtime, xattrs } = there;
      lists.push({ path, kind: "file", mode, uid, gid, mtime, xattrs, inode: there, file });
    } else if (there !== undefined || isBehindLink(path, base)) return;
  }
  await userIn([folder("etc", 0o755, 0), ...lists], user);
}

const isBehindLink = (path: string, base: Tree) =>
  [...parentsOf(path)].some((parent) => base.get(parent)?.kind === "symlink");
