/** The user's cache: what is in it, and without it. */
import { lstatSync, readdirSync, renameSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { cacheFolder, cacheParts } from "../host/cache-folders.ts";
import { cacheDirectory } from "../host/paths.ts";
import { keepTemporary, temporaryName } from "../host/temporary.ts";
import { blobLimit } from "../oci/blob-cache.ts";
import { blockLimit } from "../squashfs/block-cache.ts";

/** A part of the user's cache. */
export interface CachePart {
  /** "blocks", "files", "images", "kernels", "learned" or "node". */
  name: string;
  /** What it holds, for people. */
  summary: string;
  /** How many there are in it. */
  files: number;
  /** Of all its files. */
  bytes: number;
  /** Bytes above which a build removes what was unused for longest. */
  limit?: number;
}

/** What builds keep for the next ones; all of it can be made again. */
export interface CacheInfo {
  /** Absolute path. */
  path: string;
  /** Of all files. */
  bytes: number;
  /** Each of its folders. */
  parts: CachePart[];
}

/** Of the parts that have a bound. */
const limits: Partial<Record<keyof typeof cacheParts, (folder: string) => number | undefined>> = {
  blocks: blockLimit,
  images: blobLimit,
};

const partNames = Object.keys(cacheParts) as (keyof typeof cacheParts)[];

/**
 * Says what the user's cache holds.
 *
 * @throws E_FILE_UNREADABLE
 *
 * @example
 * ```js
 * import { cacheInfo } from "fuselage-bundle";
 *
 * const { parts } = await cacheInfo();
 * console.log(parts.map(({ name }) => name).join(" ")); // blocks files images kernels learned node
 * ```
 */
export async function cacheInfo(): Promise<CacheInfo> {
  const parts = partNames.map((name) => {
    const folder = cacheFolder(name);
    const limit = limits[name]?.(folder);
    const size = sizeOf(folder);
    return { name, summary: cacheParts[name], ...size, ...(limit !== undefined && { limit }) };
  });
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  return { path: cacheDirectory(), bytes, parts };
}

/**
 * Removes all that the user's cache holds. A build at work may miss the interpreter that it was about to pack.
 *
 * @returns what was there
 * @throws E_OUTPUT_FAILED, E_FILE_UNREADABLE
 *
 * @example
 * ```js
 * import { cacheInfo, clearCache } from "fuselage-bundle";
 *
 * await clearCache();
 * console.log((await cacheInfo()).bytes); // 0
 * ```
 */
export async function clearCache(): Promise<CacheInfo> {
  const info = await cacheInfo();
  for (const folder of [...partNames.map(cacheFolder), ...leftovers()]) {
    const away = temporaryName(cacheDirectory());
    try {
      // A link is removed, not what it leads to.
      if (isMoved(folder, away)) await removeMoved(away);
    } catch (cause) {
      throw errors.outputBroken(folder, "removing", cause, "What was not removed is there yet.");
    } finally {
      keepTemporary(away);
    }
  }
  return info;
}

/** Rounds in which a folder is removed that others have just put something into. */
const MAX_ROUNDS = 200;

/** Whoever had found the folder before it was moved may still make a file in it; nobody finds it any more. */
async function removeMoved(folder: string): Promise<void> {
  for (let round = 1; ; round++) {
    try {
      return await rm(folder, { recursive: true, force: true });
    } catch (cause) {
      if (round === MAX_ROUNDS || errors.errnoCode(cause) !== "ENOTEMPTY") throw cause;
    }
  }
}

/** What a clearing left that was killed. */
function leftovers(): string[] {
  const all = cacheDirectory();
  const names = namesIn(all).filter((name) => /^\.bundle-.*\.tmp$/.test(name));
  return names.map((name) => path.join(all, name));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Who removes what is in it says why.
  }
}

/**
 * Takes a folder from those who put something into it at the same time: they make another one, and this one can be
 * emptied.
 *
 * @returns false: there was none
 */
function isMoved(folder: string, away: string): boolean {
  try {
    renameSync(folder, away);
    return true;
  } catch (cause) {
    if (errors.errnoCode(cause) === "ENOENT") return false;
    throw cause;
  }
}

/** Files below a folder. What goes meanwhile is not counted. */
function sizeOf(folder: string): { files: number; bytes: number } {
  const sum = { files: 0, bytes: 0 };
  const pending = [folder];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    try {
      const stats = lstatSync(file, { throwIfNoEntry: false });
      if (stats?.isDirectory()) {
        for (const name of readdirSync(file)) pending.push(path.join(file, name));
      } else if (stats !== undefined) {
        sum.files++;
        sum.bytes += stats.size;
      }
    } catch (cause) {
      if (!["ENOENT", "ENOTDIR"].includes(errors.errnoCode(cause) ?? "")) {
        throw errors.fileUnreadable(file, cause);
      }
    }
  }
  return sum;
}
