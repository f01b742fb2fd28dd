/** Folders of the cache whose files are found by what they hold: how much of them is kept. */
import { readdirSync, rmSync, statfsSync, statSync } from "node:fs";
import path from "node:path";
import { errnoCode } from "../errors.ts";
import { makeFolder } from "./make-folder.ts";
import { ownFolder } from "./trusted.ts";

/** What was not used for so long is removed, ms. */
const MAX_AGE = 30 * 24 * 3600 * 1000;
/** The same for what a build began that was killed. */
const MAX_AGE_BEGUN = 24 * 3600 * 1000;
/** All files of a folder together get one part of so many of what the disk has for them. */
const SHARE_OF_DISK = 10;

export interface CachedFile {
  path: string;
  bytes: number;
  /** When it was used last, ms. */
  used: number;
}

/** Whether something can be kept there: the folder, made where it is missing, is for the user alone to change. */
export function isUsable(dir: string): boolean {
  try {
    makeFolder(dir, 0o700);
  } catch {
    return false;
  }
  return ownFolder(dir) !== undefined;
}

/** None where the folder is gone: a cache may be cleared any time. @throws what the system says */
export function filesIn(dir: string): CachedFile[] {
  const files: CachedFile[] = [];
  for (const name of namesIn(dir)) {
    const file = path.join(dir, name);
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats?.isFile()) files.push({ path: file, bytes: stats.size, used: stats.mtimeMs });
  }
  return files;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (cause) {
    if (errnoCode(cause) === "ENOENT") return [];
    throw cause;
  }
}

/**
 * Bytes that the files of a folder, which need not exist, may have together; undefined: not known.
 *
 * @param maxBytes where the disk has far more
 */
export function limitOf(dir: string, maxBytes: number): number | undefined {
  try {
    return limit(dir, filesIn(dir), maxBytes);
  } catch {
    return undefined;
  }
}

function limit(dir: string, files: readonly CachedFile[], maxBytes: number): number {
  const { bavail, bsize } = statfsSync(dir);
  const kept = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return Math.min(maxBytes, Math.floor((bavail * bsize + kept) / SHARE_OF_DISK));
}

/**
 * Removes what is old, and what is too much, the longest unused first.
 *
 * @param maxBytes as of `limitOf`
 * @throws what the system says
 */
export function reap(dir: string, maxBytes: number): void {
  const files = filesIn(dir);
  const most = limit(dir, files, maxBytes);
  let bytes = 0;
  for (const file of files.sort((a, b) => b.used - a.used)) {
    bytes += file.bytes;
    const isBegun = file.path.endsWith(".tmp");
    const isOld = Date.now() - file.used > (isBegun ? MAX_AGE_BEGUN : MAX_AGE);
    if (isOld || bytes > most) rmSync(file.path, { force: true });
  }
}
