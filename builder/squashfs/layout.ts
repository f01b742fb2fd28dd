// In which order file contents go into the image.
//
// Small files share fragments, and a fragment is compressed and decompressed as one. Two aims
// pull apart: files that resemble each other should be neighbours, and files that are used
// together should be. So the directory comes first and the kind of file second. Sorting a tree of
// 77,000 files by kind alone would save another 0.1 % and spread each directory over the image,
// of which the kernel keeps only three decompressed fragments. What contents have in common saves far more
// (native/similarity.h), at the same price, so that is for those who ask for it.
//
// What a start reads is the exception: it stands first and in the order of use, so that its small
// files share fragments with nothing else, and a cold disk is read from front to back.

import type { Node } from "../tree/node.ts";
import type { Plan } from "./plan.ts";

/** The end of a name from its last dot; without an extension the name itself: LICENSE, Makefile. */
function kindOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(dot) : name;
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

export interface Layout {
  /** The files in the order in which their contents are written, by their numbers. */
  files: Uint32Array;
  /** How many of them are there for being `first`. */
  ahead: number;
}

/**
 * @param first what is to stand before all others, in order; what is no file here does not count
 */
export function layoutOrder(
  { inodes, files }: Pick<Plan, "inodes" | "files">,
  first: readonly Node[] = [],
): Layout {
  const ahead = new Set<number>();
  for (const node of first) {
    const number = node.kind === "file" ? inodes.number(node) : undefined;
    if (number !== undefined) ahead.add(number);
  }
  const found = new Uint32Array(files.length);
  found.set([...ahead]);
  let count = ahead.size;
  for (const folder of foldersOf({ inodes, files })) {
    for (const number of byKind(inodes, folder)) if (!ahead.has(number)) found[count++] = number;
  }
  return { files: found, ahead: ahead.size };
}

/** The files of each folder; those of a directory's subtree stay in one piece. */
function foldersOf({ inodes, files }: Pick<Plan, "inodes" | "files">): Uint32Array[] {
  const folders: { key: string; files: Uint32Array }[] = [];
  // Their numbers are in a row (plan.ts).
  for (let from = 0, to = 0; from < files.length; from = to) {
    const folder = inodes.folder(files[from] as number);
    while (to < files.length && inodes.folder(files[to] as number) === folder) to++;
    // NUL sorts before every byte of a name.
    folders.push({ key: folder.replaceAll("/", "\0"), files: files.subarray(from, to) });
  }
  return folders.sort((a, b) => order(a.key, b.key)).map((folder) => folder.files);
}

function byKind(inodes: Plan["inodes"], files: Uint32Array): number[] {
  const keyed = Array.from(files, (number) => {
    const name = inodes.name(number);
    return { number, name, kind: kindOf(name) };
  });
  keyed.sort((a, b) => order(a.kind, b.kind) || order(a.name, b.name));
  return keyed.map(({ number }) => number);
}
