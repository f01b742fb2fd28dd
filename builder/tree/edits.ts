/**
 * Changes that a caller asks for to the tree that an image is made of: entries that no folder has, and
 * other permissions. What needs root on a file system, such as a device, needs none here.
 */
import picomatch from "picomatch";
import * as errors from "../errors.ts";
import { belowRoot } from "./exclusion.ts";
import { directoryNode, fileNode, type Node, symlinkNode } from "./node.ts";
import { byteString, splitPath } from "./path.ts";
import type { Tree } from "./tree.ts";

/** Each is a list of texts. Paths are those of the image. */
export interface TreeEdits {
  /** `PATH` or `PATH=MODE`: folders that are to be there. */
  dirs?: readonly string[] | undefined;
  /** `PATH=TEXT`: files with this text. */
  files?: readonly string[] | undefined;
  /** `PATH=TARGET` */
  symlinks?: readonly string[] | undefined;
  /** `PATH=c:MAJOR:MINOR`, `PATH=b:MAJOR:MINOR` or `PATH=p`: devices and fifos. */
  mknod?: readonly string[] | undefined;
  /** `GLOB=MODE`, octal or as chmod(1) takes it; links have no permissions. */
  chmod?: readonly string[] | undefined;
}

export const treeEdits = ["dirs", "files", "symlinks", "mknod", "chmod"] as const;

/** Of mknod(2), as the image has room for them. */
const MAJOR_MAX = 4095;
const MINOR_MAX = 1048575;

/**
 * Makes the changes, in the order of `treeEdits`.
 *
 * @throws E_OPTION_VALUE for what cannot be read or matches nothing, E_PATH_INVALID where something
 *   stands already
 */
export function editTree(tree: Tree, edits: TreeEdits): void {
  for (const text of edits.dirs ?? []) addDirectory(tree, text);
  for (const text of edits.files ?? []) {
    const [path, content] = parted("files", text);
    tree.add(path, fileNode(content));
  }
  for (const text of edits.symlinks ?? []) {
    const [path, target] = parted("symlinks", text);
    tree.add(path, symlinkNode(byteString(target)));
  }
  for (const text of edits.mknod ?? []) {
    const [path, what] = parted("mknod", text);
    tree.add(path, deviceNode(text, what));
  }
  for (const text of edits.chmod ?? []) changeModes(tree, text);
}

/** A path below the root and what is said of it. A path with "=" in it cannot be said. */
function parted(key: keyof TreeEdits, text: string): [path: string, value: string] {
  const at = text.indexOf("=");
  if (at <= 0) throw refused(key, text);
  return [imagePath(text.slice(0, at)), text.slice(at + 1)];
}

const refused = (key: keyof TreeEdits, text: string) =>
  errors.optionValue(key, expected[key], JSON.stringify(text));

const expected: Record<keyof TreeEdits, string> = {
  dirs: "PATH or PATH=MODE, MODE octal",
  files: "PATH=TEXT",
  symlinks: "PATH=TARGET",
  mknod: `PATH=c:MAJOR:MINOR, PATH=b:MAJOR:MINOR (up to ${MAJOR_MAX}:${MINOR_MAX}) or PATH=p`,
  chmod: "GLOB=MODE, MODE octal (755) or symbolic (u=rwX,go+rX)",
};

/** `/etc/hosts`, `./etc/hosts` and `etc/hosts/` are all the same place. */
function imagePath(text: string): string {
  return byteString(belowRoot(text));
}

function addDirectory(tree: Tree, text: string): void {
  const at = text.lastIndexOf("=");
  const octal = at > 0 ? parseOctal(text.slice(at + 1)) : undefined;
  if (at > 0 && octal === undefined) throw refused("dirs", text);
  const path = imagePath(at > 0 ? text.slice(0, at) : text);
  const found = splitPath(path).length === 0 ? tree.root : tree.get(path);
  if (found?.kind === "directory") {
    if (octal !== undefined) found.mode = octal;
  } else {
    tree.add(path, directoryNode(octal === undefined ? {} : { mode: octal }));
  }
}

function deviceNode(text: string, what: string): Node {
  const made = { mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: [] };
  if (what === "p") return { kind: "fifo", ...made };
  const [, type, ...numbers] = /^([bc]):(\d{1,7}):(\d{1,7})$/.exec(what) ?? [];
  const [major = Infinity, minor = Infinity] = numbers.map(Number);
  if (type === undefined || major > MAJOR_MAX || minor > MINOR_MAX) throw refused("mknod", text);
  return { kind: type === "b" ? "block-device" : "character-device", ...made, major, minor };
}

function changeModes(tree: Tree, text: string): void {
  const at = text.lastIndexOf("=");
  // "u=rwx" has one too: the glob ends before a mode that can be read.
  const [glob, change] =
    [at, text.lastIndexOf("=", at - 1), text.indexOf("=")]
      .filter((place) => place > 0)
      .map((place) => [text.slice(0, place), parseMode(text.slice(place + 1))] as const)
      .find(([, one]) => one !== undefined) ?? [];
  if (glob === undefined || change === undefined) throw refused("chmod", text);
  const matches = picomatch(belowRoot(glob) || ".", { dot: true });
  const seen = new Set<Node>();
  for (const { path, node } of tree.walk()) {
    const shown = Buffer.from(path, "latin1").toString("utf8") || ".";
    if (node.kind === "symlink" || !matches(shown)) continue;
    if (!seen.has(node)) node.mode = change(node.mode, node.kind === "directory");
    seen.add(node);
  }
  if (seen.size === 0) {
    throw errors.globMatchesNothing("chmod", glob, "file or folder");
  }
}

type ModeChange = (mode: number, isDirectory: boolean) => number;

/** Permissions as chmod(1) takes them; without who, everybody is meant, whatever the umask. */
function parseMode(text: string): ModeChange | undefined {
  const octal = parseOctal(text);
  if (octal !== undefined) return () => octal;
  const clauses = text.split(",").map(parseClause);
  if (clauses.some((clause) => clause === undefined)) return undefined;
  return (mode, isDirectory) =>
    clauses.reduce((now, clause) => clause?.(now, isDirectory) ?? now, mode);
}

function parseOctal(text: string): number | undefined {
  return /^[0-7]{1,5}$/.test(text) && Number.parseInt(text, 8) <= 0o7777
    ? Number.parseInt(text, 8)
    : undefined;
}

/** Bits of each class of users: user, group, others. */
const CLASSES = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 };
const RIGHTS = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 };

/** `go-w`, `+x`, `u=rwX`. */
function parseClause(text: string): ModeChange | undefined {
  const [, who = "", operator = "", rights = ""] = /^([ugoa]*)([-+=])([rwxXst]*)$/.exec(text) ?? [];
  if (operator === "") return undefined;
  const bitsOf = (table: Record<string, number>, letters: string) =>
    [...letters].reduce((bits, letter) => bits | (table[letter] ?? 0), 0);
  const whose = who === "" ? CLASSES.a : bitsOf(CLASSES, who);
  return (mode, isDirectory) => {
    // X: folders, and files that somebody may run.
    const runs = rights.includes("X") && (isDirectory || (mode & 0o111) !== 0);
    const wanted = (bitsOf(RIGHTS, rights) | (runs ? 0o111 : 0)) & whose;
    if (operator === "+") return mode | wanted;
    return operator === "-" ? mode & ~wanted : (mode & ~whose) | wanted;
  };
}
