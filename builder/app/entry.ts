/** Which program of a tree a bundle starts. */
import * as errors from "../errors.ts";
import type { DirectoryNode, FileNode, Node } from "../tree/node.ts";
import { byteString, displayPath, joinPath } from "../tree/path.ts";
import { sortedEntries, type Tree } from "../tree/tree.ts";

/** As many symbolic links as the kernel follows in one path. */
const MAX_LINKS = 40;

type Resolution =
  | { found: Node; path: string }
  | { missing: true }
  | { outside: string }
  | { loop: true };

export interface EntryQuestion {
  /** The folder as the user named it, for messages. */
  dir: string;
  /** Path given by the user, as text; undefined: find one. */
  entry: string | undefined;
  /** Name of the bundle, which may be the program's too. */
  name: string;
}

/**
 * Chooses the entrypoint: the one that was asked for, else AppRun, else bin/NAME, else the only
 * executable file of the root or of bin/.
 *
 * @returns path below the root, a byte string without "." and ".." in it
 * @throws E_ENTRY_AMBIGUOUS, E_ENTRY_MISSING, E_ENTRY_NONE, E_ENTRY_NOT_EXECUTABLE,
 *   E_ENTRY_NOT_FILE, E_ENTRY_OUTSIDE
 */
export function chooseEntry(tree: Tree, { dir, entry, name }: EntryQuestion): string {
  if (entry !== undefined) return checkedEntry(tree, dir, byteString(entry));
  if (tree.root.entries.has("AppRun")) return checkedEntry(tree, dir, "AppRun");
  const named = `bin/${byteString(name)}`;
  if (executable(tree, named) !== undefined) return named;
  const candidates = executables(tree);
  const [only] = candidates;
  if (only === undefined) throw errors.entryNone(dir, name);
  if (candidates.length === 1) return only;
  throw errors.entryAmbiguous(dir, candidates.map(displayPath));
}

function checkedEntry(tree: Tree, dir: string, entry: string): string {
  const shown = displayPath(entry);
  if (entry.startsWith("/")) {
    throw errors.entryOutside(dir, shown, "because it is an absolute path");
  }
  const resolved = resolve(tree, entry);
  if ("outside" in resolved) throw errors.entryOutside(dir, shown, resolved.outside);
  if ("loop" in resolved) {
    throw errors.entryMissing(dir, shown, "Its symbolic links lead in a circle.");
  }
  if ("missing" in resolved) throw errors.entryMissing(dir, shown, missingHint(tree, dir, entry));
  const { found, path } = resolved;
  if (found.kind !== "file") {
    throw errors.entryNotFile(dir, shown, found.kind.replace("-", " "));
  }
  if (!isExecutable(found)) throw errors.entryNotExecutable(dir, shown, found.mode);
  // A program may look at the name it was called by, so links stay; ".." has no place in a record.
  const names = entry.split("/").filter((part) => part !== "" && part !== ".");
  return names.includes("..") ? path : names.join("/");
}

/** The likely mistake: a path from the current folder, with DIR in it. */
function missingHint(tree: Tree, dir: string, entry: string): string | undefined {
  const names = entry.split("/").filter((part) => part !== "" && part !== ".");
  const base = byteString(dir).split("/").filter(Boolean).at(-1);
  const position = base === undefined ? -1 : names.indexOf(base);
  const rest = names.slice(position + 1).join("/");
  if (position < 0 || executable(tree, rest) === undefined) return undefined;
  return `The path is relative to the folder: --entry ${displayPath(rest)}`;
}

function isExecutable(node: FileNode): boolean {
  return (node.mode & 0o111) !== 0;
}

/** The program at `path` with links followed, or undefined where there is none. */
function executable(tree: Tree, path: string): FileNode | undefined {
  const resolved = resolve(tree, path);
  if (!("found" in resolved) || resolved.found.kind !== "file") return undefined;
  return isExecutable(resolved.found) ? resolved.found : undefined;
}

/**
 * Executable files of the root and of bin/, one name for each: links to one program count once.
 * Shared libraries do not count; many of them carry an executable bit by habit.
 */
function executables(tree: Tree): string[] {
  const byProgram = new Map<FileNode, string>();
  for (const prefix of ["", "bin"]) {
    const dir = resolve(tree, prefix);
    if (!("found" in dir) || dir.found.kind !== "directory") continue;
    for (const [name, node] of sortedEntries(dir.found)) {
      const path = joinPath(prefix, name);
      const program = /\.so(\.[0-9.]+)?$/.test(name) ? undefined : executable(tree, path);
      if (program === undefined) continue;
      if (!byProgram.has(program) || node === program) byProgram.set(program, path);
    }
  }
  return [...byProgram.values()];
}

/** Follows a path as the kernel does, but never out of the tree. */
function resolve(tree: Tree, path: string): Resolution {
  const parents: { node: DirectoryNode; name: string }[] = [];
  let current: DirectoryNode = tree.root;
  let pending = path.split("/").reverse();
  let links = 0;
  const here = () => parents.map(({ name }) => name).join("/");
  while (pending.length > 0) {
    const name = pending.pop();
    if (name === undefined || name === "" || name === ".") continue;
    if (name === "..") {
      const parent = parents.pop();
      if (parent === undefined) {
        return { outside: links > 0 ? 'through ".." in a symbolic link' : 'through ".."' };
      }
      current = parent.node;
      continue;
    }
    const node = current.entries.get(name);
    if (node === undefined) return { missing: true };
    if (node.kind === "symlink") {
      if (++links > MAX_LINKS) return { loop: true };
      if (node.target.startsWith("/")) {
        return { outside: `through a symbolic link to ${displayPath(node.target)}` };
      }
      pending = [...pending, ...node.target.split("/").reverse()];
    } else if (node.kind === "directory") {
      parents.push({ node: current, name });
      current = node;
    } else {
      const more = pending.some((part) => part !== "");
      return more ? { missing: true } : { found: node, path: joinPath(here(), name) };
    }
  }
  return { found: current, path: here() };
}
