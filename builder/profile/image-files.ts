/** The files of an image by number and by name, between which recordings and profiles go. */
import { PAGE_BYTES, type StartRun } from "../manifest/start-list.ts";
import type { ImageEntry } from "../squashfs/image-reader.ts";
import type { Profile } from "./profile.ts";

/** The regular files of an image. */
export interface ImageFiles {
  /** The first name of each, by the number of its inode. */
  readonly paths: ReadonlyMap<number, string>;
  /** By these names, bytes. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** @param entries all of an image, in byte order of the names */
export function indexFiles(entries: readonly ImageEntry[]): ImageFiles {
  const paths = new Map<number, string>();
  const sizes = new Map<string, number>();
  for (const { path, kind, inode, size } of entries) {
    if (kind !== "file" || paths.has(inode)) continue;
    paths.set(inode, path);
    sizes.set(path, size);
  }
  return { paths, sizes };
}

/** A start list by paths, each run a rule; what the image does not have is left out. */
export function profileOfRuns(runs: readonly StartRun[], { paths }: ImageFiles): Profile {
  return runs.flatMap(({ number, first, count }) => {
    const path = paths.get(number);
    if (path === undefined) return [];
    return [{ path, ranges: [{ start: first * PAGE_BYTES, end: (first + count) * PAGE_BYTES }] }];
  });
}
