/** Which program of a tree a bundle starts. */
import * as errors from "../errors.ts";
import type { FileNode } from "../tree/node.ts";
import { byteString, displayPath, joinPath } from "../tree/path.ts";
import { resolvePath } from "../tree/resolve.ts";
import { sortedEntries, type Tree } from "../tree/tree.ts";
import { nearEntries } from "./near-entries.ts";

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
  if (only === undefined) throw errors.entryNone(dir, name, nearEntries(tree, name));
  if (candidates.length === 1) return only;
  throw errors.entryAmbiguous(dir, candidates.map(displayPath));
}

function checkedEntry(tree: Tree, dir: string, entry: string): string {
  const shown = displayPath(entry);
  if (entry.startsWith("/")) {
    throw errors.entryOutside(dir, shown, "because it is an absolute path");
  }
  const resolved = resolvePath(tree, entry);
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
  // A program may look at the name it was called by, so links stay; ".." has no place in a record.
  return names.includes("..") ? path : names.join("/");
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
  if (position < 0 || executable(tree, rest) === undefined) return undefined;
  return (name) => `The path is relative to the folder: ${name("entry", displayPath(rest))}`;
}

function isExecutable(node: FileNode): boolean {
  return (node.mode & 0o111) !== 0;
}

/** The program at `path` with links followed, or undefined where there is none. */
function executable(tree: Tree, path: string): FileNode | undefined {
  const resolved = resolvePath(tree, path);
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
    const dir = resolvePath(tree, prefix);
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
