/** Which program of a tree a bundle starts. */
import { posix } from "node:path";
import * as errors from "../errors.ts";
import { type FolderMap, pathInImage } from "../manifest/folder-map.ts";
import type { FileNode } from "../tree/node.ts";
import { byteString, displayPath, joinPath } from "../tree/path.ts";
import { type Resolution, resolvePath } from "../tree/resolve.ts";
import { sortedEntries, type Tree } from "../tree/tree.ts";
import { nearEntries } from "./near-entries.ts";

export interface EntryQuestion {
  /** The folder as the user named it, for messages. */
  dir: string;
  /** Path given by the user, as text; undefined: find one. */
  entry: string | undefined;
  /** Name of the bundle, which may be the program's too. */
  name: string;
  /** Where folders of the tree appear: links that lead there lead into the tree. Byte strings. */
  maps?: readonly FolderMap[] | undefined;
}

/**
 * Chooses the entrypoint: the one that was asked for, else AppRun, else bin/NAME, else the only
 * executable file of the root or of bin/.
 *
 * @returns path below the root, a byte string without "." and ".." in it
 * @throws E_ENTRY_AMBIGUOUS, E_ENTRY_MISSING, E_ENTRY_NONE, E_ENTRY_NOT_EXECUTABLE,
 *   E_ENTRY_NOT_FILE, E_ENTRY_OUTSIDE
 */
export function chooseEntry(tree: Tree, { dir, entry, name, maps = [] }: EntryQuestion): string {
  if (entry !== undefined) return checkedEntry(tree, dir, byteString(entry), maps);
  if (tree.root.entries.has("AppRun")) return checkedEntry(tree, dir, "AppRun", maps);
  const named = executable(tree, `bin/${byteString(name)}`, maps);
  if (named !== undefined) return named.path;
  const candidates = executables(tree, maps);
  const [only] = candidates;
  if (only === undefined) throw errors.entryNone(dir, name, nearEntries(tree, name));
  if (candidates.length === 1) return only;
  throw errors.entryAmbiguous(dir, candidates.map(displayPath));
}

/** What a start follows from a path: it has the maps' folders, and a link to one leads on in the tree. */
function follow(
  tree: Tree,
  path: string,
  maps: readonly FolderMap[],
): { resolved: Resolution; mapped: boolean } {
  const seen = new Set<string>();
  for (let at = path; ; ) {
    const resolved = resolvePath(tree, at);
    const target = "outside" in resolved ? resolved.target : undefined;
    const inside = target && pathInImage(posix.normalize(target).replace(/(?<=.)\/$/, ""), maps);
    if (inside === undefined) return { resolved, mapped: seen.size > 0 };
    if (seen.has(inside)) return { resolved: { loop: true }, mapped: true };
    seen.add(inside);
    at = inside;
  }
}

function checkedEntry(tree: Tree, dir: string, entry: string, maps: readonly FolderMap[]): string {
  const shown = displayPath(entry);
  if (entry.startsWith("/")) {
    throw errors.entryOutside(dir, shown, "because it is an absolute path");
  }
  const { resolved, mapped } = follow(tree, entry, maps);
  const names = entry.split("/").filter((part) => part !== "" && part !== ".");
  if ("outside" in resolved) {
    const isInterpreter = resolved.target !== undefined && !names.includes("..");
    if (isInterpreter && isVenv(tree, names.join("/"))) return names.join("/");
    throw errors.entryOutside(dir, shown, resolved.outside);
  }
  if ("loop" in resolved) {
    throw errors.entryMissing(dir, shown, "Its symbolic links lead in a circle.");
  }
  if ("missing" in resolved) throw errors.entryMissing(dir, shown, missingHint(tree, dir, entry));
  const { found, path } = resolved;
  if (found.kind !== "file") {
    throw errors.entryNotFile(dir, shown, found.kind.replace("-", " "));
  }
  if (!isExecutable(found)) throw errors.entryNotExecutable(dir, shown, found.mode);
  // A program may look at the name it was called by, so links stay; ".." has no place in a record, and
  // nor has a link that leads on by a map, which is looked for in the image alone.
  return names.includes("..") || mapped ? path : names.join("/");
}

/** What tells that a folder is a virtual environment of Python. */
export const VENV_FILE = "pyvenv.cfg";

/** Whether a program is the interpreter of a venv, which is a link to the machine's. */
export function isVenv(tree: Tree, program: string): boolean {
  const folder = program.split("/").slice(0, -2);
  const resolved = resolvePath(tree, [...folder, VENV_FILE].join("/"));
  return program.includes("/") && "found" in resolved && resolved.found.kind === "file";
}

/** The likely mistake: a path from the current folder, with DIR in it. */
function missingHint(tree: Tree, dir: string, entry: string): errors.FailureText | undefined {
  const names = entry.split("/").filter((part) => part !== "" && part !== ".");
  const base = byteString(dir).split("/").filter(Boolean).at(-1);
  const position = base === undefined ? -1 : names.indexOf(base);
  const rest = names.slice(position + 1).join("/");
  if (position < 0 || executable(tree, rest, []) === undefined) return undefined;
  return (name) => `The path is relative to the folder: ${name("entry", displayPath(rest))}`;
}

function isExecutable(node: FileNode): boolean {
  return (node.mode & 0o111) !== 0;
}

/** The program at `path` with links followed, and what to call it; undefined where there is none. */
function executable(
  tree: Tree,
  path: string,
  maps: readonly FolderMap[],
): { node: FileNode; path: string } | undefined {
  const { resolved, mapped } = follow(tree, path, maps);
  if (!("found" in resolved) || resolved.found.kind !== "file") return undefined;
  if (!isExecutable(resolved.found)) return undefined;
  return { node: resolved.found, path: mapped ? resolved.path : path };
}

/**
 * Executable files of the root and of bin/, one name for each: links to one program count once.
 * Shared libraries do not count; many of them carry an executable bit by habit.
 */
function executables(tree: Tree, maps: readonly FolderMap[]): string[] {
  const byProgram = new Map<FileNode, string>();
  for (const prefix of ["", "bin"]) {
    const { resolved: dir } = follow(tree, prefix, maps);
    if (!("found" in dir) || dir.found.kind !== "directory") continue;
    for (const [name, node] of sortedEntries(dir.found)) {
      const path = joinPath(prefix, name);
      const program = /\.so(\.[0-9.]+)?$/.test(name) ? undefined : executable(tree, path, maps);
      if (program === undefined) continue;
      if (!byProgram.has(program.node) || node === program.node)
        byProgram.set(program.node, program.path);
    }
  }
  return [...byProgram.values()];
}
