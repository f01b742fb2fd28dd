/** A profile and the files of an image → what stands first in it, and the start list. */
import {
  encodeStartList,
  PAGE_BYTES,
  START_LIMITS,
  type StartRun,
} from "../manifest/start-list.ts";
import type { FileNode } from "../tree/node.ts";
import { contentSize } from "../tree/node.ts";
import { resolvePath } from "../tree/resolve.ts";
import type { Tree } from "../tree/tree.ts";
import type { ByteRange, Profile } from "./profile.ts";

/** A rule with the file that it is about. */
export interface HotFile {
  readonly node: FileNode;
  /** Within the file, none empty; in the order of use. */
  readonly ranges: readonly ByteRange[];
}

export interface Matched {
  readonly files: readonly HotFile[];
  /** Paths that the profile names. */
  readonly paths: number;
  /** Of them, byte strings: those that are no files of the tree, in order. */
  readonly missing: readonly string[];
}

/** Looks for the files of a profile. Links are followed inside the tree; ranges are cut at a file's end. */
export function matchProfile(profile: Profile, tree: Tree): Matched {
  const files: HotFile[] = [];
  const missing = new Set<string>();
  for (const { path, ranges } of profile) {
    const resolved = resolvePath(tree, path);
    const node = "found" in resolved ? resolved.found : undefined;
    if (node?.kind !== "file") {
      missing.add(path);
      continue;
    }
    const size = contentSize(node.contents);
    const within = (ranges ?? [{ start: 0, end: size }])
      .map(({ start, end }) => ({ start, end: Math.min(end, size) }))
      .filter(({ start, end }) => start < end);
    files.push({ node, ranges: within });
  }
  const paths = new Set(profile.map(({ path }) => path)).size;
  return { files, paths, missing: [...missing] };
}

/** The files once each, in the order of their first use. */
export function hotOrder(files: readonly HotFile[]): FileNode[] {
  return [...new Set(files.map(({ node }) => node))];
}

export interface StartList {
  readonly runs: readonly StartRun[];
  readonly bytes: Uint8Array;
  /** Runs at the end that had no room. */
  readonly cut: number;
  /** Bytes that may lie between two ranges that became one; 0: none had to. */
  readonly gap: number;
}

/** Pages between ranges that are joined where a list is too long: doubled up to 4 MiB. */
const GAPS = [0, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** The start list of hot files; undefined when they have no contents. @param numberOf inode of a file */
export function startListOf(
  files: readonly HotFile[],
  numberOf: (node: FileNode) => number,
): StartList | undefined {
  const all = runsOf(files, numberOf);
  if (all.length === 0) return undefined;
  let last: StartList | undefined;
  for (const gap of GAPS) {
    const runs = joined(all, gap);
    const bytes = encodeStartList(runs);
    last = { runs, bytes, cut: 0, gap: gap * PAGE_BYTES };
    if (runs.length <= START_LIMITS.runs && bytes.length <= START_LIMITS.bytes) return last;
  }
  return last && cutToFit(last);
}

/** No page twice: what an earlier rule has named is there already. */
function runsOf(files: readonly HotFile[], numberOf: (node: FileNode) => number): StartRun[] {
  const named = new Map<FileNode, PageSet>();
  const runs: StartRun[] = [];
  for (const { node, ranges } of files) {
    const pages = named.get(node) ?? new PageSet();
    named.set(node, pages);
    for (const { start, end } of ranges) {
      const [from, to] = [Math.floor(start / PAGE_BYTES), Math.ceil(end / PAGE_BYTES)];
      for (const [first, last] of pages.add(from, to)) {
        runs.push({ number: numberOf(node), first, count: last - first });
      }
    }
  }
  return joined(runs, 0);
}

/** Runs of one file that follow each other with at most `gap` pages between them, as one. */
function joined(runs: readonly StartRun[], gap: number): StartRun[] {
  const out: StartRun[] = [];
  for (const run of runs) {
    const last = out.at(-1);
    const between = last === undefined ? -1 : run.first - (last.first + last.count);
    if (last !== undefined && last.number === run.number && between >= 0 && between <= gap) {
      out[out.length - 1] = { ...last, count: run.first + run.count - last.first };
    } else out.push(run);
  }
  return out;
}

/** As many runs from the start as there is room for. */
function cutToFit(list: StartList): StartList {
  let [fits, tooMany] = [0, Math.min(list.runs.length, START_LIMITS.runs) + 1];
  while (tooMany - fits > 1) {
    const middle = Math.floor((fits + tooMany) / 2);
    if (encodeStartList(list.runs.slice(0, middle)).length <= START_LIMITS.bytes) fits = middle;
    else tooMany = middle;
  }
  const runs = list.runs.slice(0, fits);
  return { ...list, runs, bytes: encodeStartList(runs), cut: list.runs.length - fits };
}

/** Pages of a file as ranges in order that do not touch. */
class PageSet {
  readonly #ranges: [number, number][] = [];

  /** Adds pages `from` up to `to`. @returns those that were not there, as ranges in order */
  add(from: number, to: number): [number, number][] {
    const first = this.#firstEndingAt(from);
    const added: [number, number][] = [];
    let at = from;
    let [low, high] = [from, to];
    let index = first;
    for (; index < this.#ranges.length; index++) {
      const [start, end] = this.#ranges[index] as [number, number];
      if (start > to) break;
      if (start > at) added.push([at, start]);
      at = Math.max(at, end);
      low = Math.min(low, start);
      high = Math.max(high, end);
    }
    if (at < to) added.push([at, to]);
    this.#ranges.splice(first, index - first, [low, high]);
    return added;
  }

  /** Index of the first range that ends at a page or behind it. */
  #firstEndingAt(page: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#ranges[middle] as [number, number])[1] < page) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
