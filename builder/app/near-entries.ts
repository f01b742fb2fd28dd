/** Files that look like the program of a folder that does not say which one starts. */
import { displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";

/** What programs are called, without an ending, the likeliest first. */
const NAMES = ["server", "main", "__main__", "index", "app", "cli", "start", "run"];

/** Where they are, the likeliest first; elsewhere is behind these. */
const FOLDERS = ["", "bin", "src", "dist", "build", "out", "server", "lib", "usr/bin"];

/** Whose programs are not the app's, or which hold what only its makers start. */
const OTHERS = new Set([
  "node_modules",
  "test",
  "tests",
  "__tests__",
  "spec",
  "docs",
  "doc",
  "examples",
  "example",
  "coverage",
  "scripts",
  "share",
]);

const DEPTH_MAX = 4;
const SHOWN_MAX = 3;

const SCRIPT = /\.[cm]?[jt]sx?$/;
/** Scripts of interpreters that hold libraries more often than programs. */
const LANGUAGES = /\.(?:pl|py|rb)$/;
const NOT_STARTED = /\.d\.[cm]?ts$|[.-](?:test|spec|config|min)\.[^.]+$|\.so(?:\.[0-9.]+)?$/;

/** Files that could be meant, the likeliest first, as messages show them. */
export interface NearEntries {
  /** At most three that can be started as they are. */
  startable: string[];
  /** Programs by their name and place, which have no executable bit. */
  mute: string[];
}

interface Candidate {
  path: string;
  folder: number;
  name: number;
}

/**
 * Looks for them. A script for Node needs no executable bit, where its name is one of a program.
 *
 * @param name of the bundle, which may be the program's too
 */
export function nearEntries(tree: Tree, name: string): NearEntries {
  const startable: Candidate[] = [];
  const mute: Candidate[] = [];
  for (const { path, node } of tree.walk()) {
    const names = path.split("/");
    const file = names.pop() ?? "";
    const isOther = names.some((one) => OTHERS.has(one) || one.startsWith("."));
    if (node.kind !== "file" || isOther || names.length >= DEPTH_MAX) continue;
    if (NOT_STARTED.test(file)) continue;
    const base = file.replace(/\.[^.]+$/, "");
    const known = [name, ...NAMES].indexOf(base);
    const candidate = { path, folder: folderRank(names), name: known < 0 ? Infinity : known };
    const isScript = SCRIPT.test(file);
    if (isScript ? known >= 0 || names.at(-1) === "bin" : (node.mode & 0o111) !== 0)
      startable.push(candidate);
    else if (!isScript && isNamedSo(file, known >= 0, names.at(-1) === "bin", name))
      mute.push(candidate);
  }
  return { startable: best(startable), mute: best(mute) };
}

/** Whether a file without an executable bit is called as a program is. @param known its name is one of a program */
function isNamedSo(file: string, known: boolean, inBin: boolean, name: string): boolean {
  return inBin || file === name || /\.sh$/.test(file) || (known && LANGUAGES.test(file));
}

function folderRank(names: readonly string[]): number {
  const at = FOLDERS.indexOf(names.join("/"));
  // Deeper ones are behind, by their last folder.
  return at >= 0 ? at : 100 * names.length + FOLDERS.indexOf(names.at(-1) ?? "");
}

function best(candidates: readonly Candidate[]): string[] {
  return candidates
    .toSorted((a, b) => order(a.folder, b.folder) || order(a.name, b.name) || order(a.path, b.path))
    .slice(0, SHOWN_MAX)
    .map(({ path }) => displayPath(path));
}

/** Infinity minus itself is no number. */
const order = <T extends number | string>(a: T, b: T) => (a === b ? 0 : a < b ? -1 : 1);
