/**
 * Files of the host at their own places, with the links among them.
 *
 * Every path of the tree is that of the host, links followed up to its last name, so that a link in
 * it leads to what it leads to on the host wherever the tree is put: what it names is added too, and
 * its target is written relative to it. Paths are byte strings, for names that are not UTF-8.
 */
import { lstatSync, readlinkSync, realpathSync, type Stats } from "node:fs";
import path from "node:path";
import { errnoCode, fileUnreadable } from "../errors.ts";
import {
  type DirectoryNode,
  directoryNode,
  type Node,
  type SymlinkNode,
  symlinkNode,
} from "../tree/node.ts";
import { byteString, bytesOf, displayPath } from "../tree/path.ts";
import { Tree } from "../tree/tree.ts";
import { treeFromDirectory } from "./add-directory.ts";
import { addFile } from "./add-input.ts";

/** What the kernel makes, or each machine has of its own: nothing in there is packed. */
const MACHINES_OWN = /^\/(?:dev|proc|run|sys|var\/run)(?:\/|$)/;

/** Folders that a reference to the folder above them does not mean. */
const NEVER = ["node_modules", "**/node_modules", ".git", ".hg", ".svn"];

/** What became of a link whose target is not simply beside it. */
export interface LinkReport {
  /** Absolute paths as messages show them. */
  link: string;
  target: string;
  /**
   * "outside": packed along, from outside of the project; "above": the project or a folder that holds
   * it, of which what else is packed is there; "broken": nothing is there; "special": no file or folder.
   */
  what: "outside" | "above" | "broken" | "special";
}

export interface HostTreeOptions {
  /** The project: absolute, links followed. */
  project: string;
  /** Whether a path below the project, relative to it, is left out by the user. Text. */
  excluded?: (relative: string) => boolean;
  signal?: AbortSignal | undefined;
}

export class HostTree {
  /** From the root of the host. */
  readonly tree = new Tree();
  readonly reports: LinkReport[] = [];
  readonly #project: string;
  readonly #excluded: (relative: string) => boolean;
  readonly #signal: AbortSignal | undefined;
  /** Links by path whose target belongs into the tree, and those of them that are still to be followed. */
  readonly #whole = new Set<string>();
  readonly #open: string[] = [];

  constructor({ project, excluded = () => false, signal }: HostTreeOptions) {
    this.#project = byteString(project);
    this.#excluded = excluded;
    this.#signal = signal;
  }

  /** What stands at an absolute path; links are not followed. */
  get(file: string): Node | undefined {
    return this.tree.get(inTree(file));
  }

  /** Puts something at a path, unless something stands there. */
  add(file: string, node: Node): void {
    const standing = this.get(file);
    if (standing === undefined) this.tree.add(inTree(file), node);
    if ((standing ?? node).kind === "symlink") this.#openLink(file);
  }

  /** Puts a link at a path that is none on the host, unless something stands there. */
  addOwnLink(link: string, to: string): void {
    if (this.get(link) === undefined) this.tree.add(inTree(link), symlinkNode(leadTo(link, to)));
  }

  #openLink(link: string): void {
    if (this.#whole.has(link)) return;
    this.#whole.add(link);
    this.#open.push(link);
  }

  /**
   * Adds a file, a folder with all it holds, or a link, with the links on the way to it.
   *
   * @param exclude globs relative to a folder; default: installed packages and version control
   * @throws E_FILE_UNREADABLE, E_FILE_KIND, and what `treeFromDirectory` throws
   */
  async addPath(file: string, exclude: readonly string[] = NEVER): Promise<void> {
    const found = this.addWay(path.posix.dirname(file));
    if (found === undefined) return;
    const place = joined(found, path.posix.basename(file));
    const stats = status(place);
    if (stats === undefined || this.#isLeftOut(place)) return;
    if (stats.isSymbolicLink()) this.add(place, symlinkNode(linkTarget(place)));
    else if (stats.isDirectory()) {
      await this.addFolder(place, exclude, (folder) => this.#leaveOut(place, folder));
    } else if (this.get(place) === undefined)
      await addFile(this.tree, inTree(place), bytesOf(place));
  }

  /**
   * Adds the links that a path leads through, without what they lead to.
   *
   * @returns the path without links; undefined when nothing is there
   */
  addWay(file: string): string | undefined {
    if (!leadsSomewhere(file)) return undefined;
    return follow(file, (link, to) => {
      this.addOwnLink(link, to);
    });
  }

  /**
   * Adds a folder that is no link; what stands there already stays, and is filled up.
   *
   * @param without what is to be taken out of it before, by its path below the folder
   */
  async addFolder(
    dir: string,
    exclude: readonly string[],
    without?: (folder: Tree) => void | Promise<void>,
  ): Promise<void> {
    const signal = this.#signal;
    const options = { exclude, empty: true, ...(signal && { signal }) };
    const folder = await treeFromDirectory(bytesOf(dir), options);
    await without?.(folder);
    this.#merge(dir, folder.root);
  }

  /** Takes out what the user leaves out, which is relative to the project. */
  #leaveOut(dir: string, folder: Tree): void {
    for (const { path: name, node } of folder.walk()) {
      if (node.kind !== "directory") continue;
      for (const child of [...node.entries.keys()]) {
        if (this.#isLeftOut(joined(name === "" ? dir : joined(dir, name), child)))
          node.entries.delete(child);
      }
    }
  }

  #merge(place: string, node: Node): void {
    const standing = this.get(place);
    if (standing?.kind === "directory" && node.kind === "directory") {
      for (const [name, child] of node.entries) this.#merge(joined(place, name), child);
      return;
    }
    if (standing === undefined) this.tree.add(inTree(place), node);
    this.#openLinks(place, standing ?? node);
  }

  #openLinks(place: string, node: Node): void {
    if (node.kind === "symlink") this.#openLink(place);
    if (node.kind !== "directory") return;
    for (const [name, child] of node.entries) this.#openLinks(joined(place, name), child);
  }

  /** Adds what links lead to, until all of them do in the tree what they do on the host. */
  async settle(): Promise<void> {
    for (let link = this.#open.pop(); link !== undefined; link = this.#open.pop()) {
      this.#signal?.throwIfAborted();
      await this.#settleLink(link);
    }
    this.reports.sort((a, b) => (a.link < b.link ? -1 : 1));
  }

  async #settleLink(link: string): Promise<void> {
    const node = this.get(link);
    if (node?.kind !== "symlink") return;
    const absolute = path.posix.resolve(path.posix.dirname(link), node.target);
    if (MACHINES_OWN.test(absolute)) {
      this.#retarget(link, node, absolute);
      return;
    }
    if (!leadsSomewhere(link)) {
      this.#report(link, node.target, "broken");
      await this.#addNextLink(link, node);
      return;
    }
    const real = target(link, node.target);
    const stats = status(real);
    if (stats === undefined) return;
    const special = !stats.isFile() && !stats.isDirectory() && !stats.isSymbolicLink();
    if (special) {
      this.#retarget(link, node, real);
      this.#report(link, real, "special");
      return;
    }
    this.#retarget(link, node, leadTo(link, real));
    if (this.#isLeftOut(real)) return;
    if (stats.isDirectory() && isWithin(this.#project, real)) {
      this.#report(link, real, "above");
      if (this.get(real) === undefined) this.tree.add(inTree(real), directoryNode());
      return;
    }
    if (!isWithin(real, this.#project) && !isWithin(real, path.posix.dirname(link)))
      this.#report(link, real, "outside");
    await this.addPath(real);
  }

  /** A link to a link to nothing, or links in a circle: the next one is there all the same. */
  async #addNextLink(link: string, node: SymlinkNode): Promise<void> {
    const absolute = path.posix.resolve(path.posix.dirname(link), node.target);
    if (!leadsSomewhere(path.posix.dirname(absolute))) return;
    const next = target(link, absolute);
    if (status(next)?.isSymbolicLink() !== true) return;
    this.#retarget(link, node, leadTo(link, next));
    await this.addPath(next);
  }

  /** Names stay as they are written where they mean the same in the tree. */
  #retarget(link: string, node: SymlinkNode, to: string): void {
    if (path.posix.normalize(node.target).replace(/(.)\/$/, "$1") === to) return;
    const parent = this.get(path.posix.dirname(link)) as DirectoryNode;
    parent.entries.set(path.posix.basename(link), { ...node, target: to });
  }

  #isLeftOut(file: string): boolean {
    if (!isWithin(file, this.#project)) return false;
    const names = file.slice(this.#project.length + 1).split("/");
    const text = (count: number) =>
      Buffer.from(names.slice(0, count).join("/"), "latin1").toString("utf8");
    return names.some((_, i) => this.#excluded(text(i + 1)));
  }

  #report(link: string, to: string, what: LinkReport["what"]): void {
    this.reports.push({ link: displayPath(link), target: displayPath(to), what });
  }
}

const inTree = (file: string) => file.slice(1);
const joined = (dir: string, name: string) => (dir === "/" ? `/${name}` : `${dir}/${name}`);
const isWithin = (file: string, dir: string) =>
  file === dir || dir === "/" || file.startsWith(`${dir}/`);
const linkTarget = (link: string) => readlinkSync(bytesOf(link), "buffer").toString("latin1");

/** Undefined where nothing is. @throws E_FILE_UNREADABLE */
function status(file: string): Stats | undefined {
  try {
    return lstatSync(bytesOf(file));
  } catch (cause) {
    const code = errnoCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw fileUnreadable(displayPath(file), cause);
  }
}

/** The target that leads from a link to an absolute path. */
function leadTo(link: string, to: string): string {
  return path.posix.relative(path.posix.dirname(link), to) || ".";
}

/** Whether the kernel finds something at a path, however many links there are. */
function leadsSomewhere(file: string): boolean {
  try {
    realpathSync.native(bytesOf(file), "buffer");
    return true;
  } catch (cause) {
    const code = errnoCode(cause) ?? "";
    if (["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"].includes(code)) return false;
    throw fileUnreadable(displayPath(file), cause);
  }
}

/**
 * Where a link leads that leads somewhere: its folder without links, then its last name, which may be
 * a link again.
 */
function target(link: string, text: string): string {
  const absolute = text.startsWith("/") ? text : joined(path.posix.dirname(link), text);
  const name = /[^/]+\/*$/.exec(absolute)?.[0].replace(/\/+$/, "") ?? "";
  if (name === "" || name === "." || name === "..") return follow(absolute);
  return joined(follow(absolute.replace(/[^/]+\/*$/, "")), name);
}

/**
 * Follows a path as the kernel does, which must find something there.
 *
 * @param onLink is told each link on the way, where it is without links, and what it leads to
 * @returns the path without links
 */
function follow(file: string, onLink: (link: string, target: string) => void = () => {}): string {
  let at = "/";
  let pending = file.split("/").reverse();
  while (pending.length > 0) {
    const name = pending.pop();
    if (name === undefined || name === "" || name === ".") continue;
    if (name === "..") {
      at = path.posix.dirname(at);
      continue;
    }
    const next = joined(at, name);
    if (status(next)?.isSymbolicLink()) {
      const text = linkTarget(next);
      onLink(next, target(next, text));
      if (text.startsWith("/")) at = "/";
      pending = [...pending, ...text.split("/").reverse()];
    } else at = next;
  }
  return at;
}
