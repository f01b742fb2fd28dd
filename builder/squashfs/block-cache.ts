// Compressed blocks of earlier images, kept so that the next one compresses only what is new.
//
// Each image that has new blocks leaves one file of them (native/block_store.h), under a name that begins
// with a digest of all that decides what a block becomes, the addon's own bytes included. Files are never
// changed, so builds at the same time do not meet, and one that was killed leaves a temporary file at most.
// Blocks are found by what they hold and checked when they are used: the bytes of an image do not depend on
// the cache. Where nothing can be kept, images are written without.

import { createHash, randomBytes } from "node:crypto";
import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
} from "node:fs";
import path from "node:path";
import { makeFolder } from "../host/make-folder.ts";
import { addonPath } from "../host/paths.ts";
import { keepTemporary, removeTemporary, temporaryFile } from "../host/temporary.ts";
import { ownFolder } from "../host/trusted.ts";
import type { BlockStore } from "../native/addon.ts";
import { byteString } from "../tree/path.ts";
import type { ResolvedOptions } from "./squashfs-options.ts";

/** What was not used for so long is removed, ms. */
const MAX_AGE = 30 * 24 * 3600 * 1000;
/** The same for what a build began that was killed. */
const MAX_AGE_BEGUN = 24 * 3600 * 1000;
/** Of all files together, where the disk has ten times as much; the longest unused go first. Bytes. */
const MAX_BYTES = 4 * 1024 ** 3;
const SHARE_OF_DISK = 10;
/** With more files of the same settings the smallest become one. */
const MAX_FILES = 24;
const KEY_DIGITS = 32;

/** Levels at which looking for a block, and writing it down, costs little beside compressing it. */
const SLOW: Readonly<Record<ResolvedOptions["compression"], number>> = {
  zstd: 6,
  gzip: 1,
  xz: 0,
  lz4: 2,
  none: Number.POSITIVE_INFINITY,
};

interface CachedFile {
  path: string;
  bytes: number;
  /** When it was used last, ms. */
  used: number;
}

export class BlockCache {
  readonly #dir: string | undefined;
  readonly #settings: string;
  #store: BlockStore | undefined;

  /** @param dir need not exist; undefined: nothing is kept */
  constructor(dir: string | undefined, resolved: ResolvedOptions) {
    const { compression, level = 0, variants, blockSize } = resolved;
    this.#dir = level < SLOW[compression] ? undefined : dir;
    this.#settings = JSON.stringify([compression, level, variants, blockSize]);
  }

  /** What to look for blocks in, and where to keep new ones; undefined: nowhere. */
  open(): BlockStore | undefined {
    const dir = this.#dir;
    if (dir === undefined || !isOwn(dir)) return undefined;
    const addon = createHash("sha256").update(readFileSync(addonPath())).digest("hex");
    const all = createHash("sha256").update(`${this.#settings} ${addon}`).digest("hex");
    const key = all.slice(0, KEY_DIGITS);
    const found = filesIn(dir);
    const own = found.filter((file) => path.basename(file.path).startsWith(`${key}-`));
    const smallest = own.sort((a, b) => a.bytes - b.bytes);
    const folded = own.length > MAX_FILES ? MAX_FILES / 2 : 0;
    this.#store = {
      key,
      kept: smallest.map((file, i) => ({ path: byteString(file.path), folded: i < folded })),
      make: byteString(temporaryFile(dir)),
      limit: maxBytes(dir, found),
    };
    return this.#store;
  }

  /** Removes what was begun for an image that was not finished. */
  discard(): void {
    if (this.#store !== undefined) removeTemporary(textOf(this.#store.make));
    this.#store = undefined;
  }

  /**
   * Publishes what was made, and removes what is old or too much.
   *
   * @param made blocks in the new file; 0: there is none
   * @param used by index in `kept`, whether a block was taken from it
   */
  publish(made: number, used: readonly boolean[]): void {
    if (this.#store === undefined || this.#dir === undefined) return;
    const { key, kept, make } = this.#store;
    const temporary = textOf(make);
    const now = new Date();
    try {
      for (const [i, file] of kept.entries()) {
        if (used[i] && !file.folded) utimesSync(textOf(file.path), now, now);
      }
    } catch {
      // It is gone, or another's and may only be read.
    }
    try {
      if (made > 0) {
        const name = `${key}-${randomBytes(8).toString("hex")}`;
        renameSync(temporary, path.join(this.#dir, name));
        keepTemporary(temporary);
      }
      const isFolded = made > 0 || !used.some((one, i) => one && kept[i]?.folded === true);
      for (const file of kept) {
        if (file.folded && isFolded) rmSync(textOf(file.path), { force: true });
      }
      reap(this.#dir);
    } catch {
      // The image is what was asked for, and it is written.
    }
  }
}

const textOf = (path: string) => Buffer.from(path, "latin1").toString("utf8");

/** Whether something can be kept there. */
function isOwn(dir: string): boolean {
  try {
    makeFolder(dir, 0o700);
  } catch {
    return false;
  }
  return ownFolder(dir) !== undefined;
}

function filesIn(dir: string): CachedFile[] {
  const files: CachedFile[] = [];
  for (const name of readdirSync(dir)) {
    const file = path.join(dir, name);
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats?.isFile()) files.push({ path: file, bytes: stats.size, used: stats.mtimeMs });
  }
  return files;
}

/** Bytes that the files of a folder, which need not exist, may have together; undefined: not known. */
export function blockLimit(dir: string): number | undefined {
  try {
    return maxBytes(dir, filesIn(dir));
  } catch {
    return undefined;
  }
}

function maxBytes(dir: string, files: readonly CachedFile[]): number {
  const { bavail, bsize } = statfsSync(dir);
  const kept = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return Math.min(MAX_BYTES, Math.floor((bavail * bsize + kept) / SHARE_OF_DISK));
}

/** @throws what the system says */
function reap(dir: string): void {
  const files = filesIn(dir);
  const limit = maxBytes(dir, files);
  let bytes = 0;
  for (const file of files.sort((a, b) => b.used - a.used)) {
    bytes += file.bytes;
    const isBegun = file.path.endsWith(".tmp");
    const isOld = Date.now() - file.used > (isBegun ? MAX_AGE_BEGUN : MAX_AGE);
    if (isOld || bytes > limit) rmSync(file.path, { force: true });
  }
}
