// Compressed blocks of earlier images, kept so that the next one compresses only what is new.
//
// Each image that has new blocks leaves one file of them (native/block_store.h), under a name that begins
// with a digest of all that decides what a block becomes, the addon's own bytes included. Files are never
// changed, so builds at the same time do not meet, and one that was killed leaves a temporary file at most.
// Blocks are found by what they hold and checked when they are used: the bytes of an image do not depend on
// the cache. Where nothing can be kept, images are written without.

import { createHash, randomBytes } from "node:crypto";
import { readFileSync, renameSync, rmSync, utimesSync } from "node:fs";
import path from "node:path";
import { filesIn, isUsable, limitOf, reap } from "../host/bounded-folder.ts";
import { addonPath } from "../host/paths.ts";
import { keepTemporary, removeTemporary, temporaryFile } from "../host/temporary.ts";
import type { BlockStore } from "../native/addon.ts";
import { byteString } from "../tree/path.ts";
import type { ResolvedOptions } from "./squashfs-options.ts";

/** Of all files together, where the disk has far more. */
const MAX_BYTES = 4 * 1024 ** 3;
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

/** Whether compressing a block takes so long that it is worth to ask first whether that can be spared. */
export function isSlow({ compression, level = 0 }: ResolvedOptions): boolean {
  return level >= SLOW[compression];
}

export class BlockCache {
  readonly #dir: string | undefined;
  readonly #settings: string;
  #store: BlockStore | undefined;
  #early: string | undefined;

  /** @param dir need not exist; undefined: nothing is kept */
  constructor(dir: string | undefined, resolved: ResolvedOptions) {
    const { compression, level = 0, variants, blockSize } = resolved;
    this.#dir = isSlow(resolved) ? dir : undefined;
    this.#settings = JSON.stringify([compression, level, variants, blockSize]);
  }

  /** Names all that decides what a block becomes. */
  #key(): string {
    const addon = createHash("sha256").update(readFileSync(addonPath())).digest("hex");
    const all = createHash("sha256").update(`${this.#settings} ${addon}`).digest("hex");
    return all.slice(0, KEY_DIGITS);
  }

  /** What there is, the smallest first; none where nothing can be kept. */
  #own(key: string): string[] {
    const dir = this.#dir;
    if (dir === undefined || !isUsable(dir)) return [];
    const own = filesIn(dir).filter((file) => path.basename(file.path).startsWith(`${key}-`));
    return own.sort((a, b) => a.bytes - b.bytes).map((file) => byteString(file.path));
  }

  /** What blocks can be looked for in, and taken from by who writes them down elsewhere. */
  known(): Pick<BlockStore, "key" | "kept"> {
    const key = this.#key();
    return { key, kept: this.#own(key).map((path) => ({ path, folded: false })) };
  }

  /**
   * What to look for blocks in, and where to keep new ones; undefined: nowhere.
   *
   * @param early a file of this image's own blocks, of the same settings
   */
  open(early?: string): BlockStore | undefined {
    const dir = this.#dir !== undefined && isUsable(this.#dir) ? this.#dir : undefined;
    if (dir === undefined && early === undefined) return undefined;
    const key = this.#key();
    const own = this.#own(key);
    const folded = own.length > MAX_FILES ? MAX_FILES / 2 : 0;
    this.#early = early;
    this.#store = {
      key,
      kept: [
        ...own.map((path, i) => ({ path, folded: i < folded })),
        ...(early === undefined ? [] : [{ path: byteString(early), folded: true }]),
      ],
      make: dir === undefined ? "" : byteString(temporaryFile(dir)),
      limit: dir === undefined ? 0 : (limitOf(dir, MAX_BYTES) ?? 0),
    };
    return this.#store;
  }

  /** Whether what is made is kept for later images. */
  get isKept(): boolean {
    return this.#store !== undefined && this.#store.make !== "";
  }

  /** Removes what was begun for an image that was not finished. */
  discard(): void {
    if (this.#store !== undefined && this.isKept) removeTemporary(textOf(this.#store.make));
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
    const { key, make } = this.#store;
    // The early ones are the last, and whoever had them made removes them.
    const kept = this.#early === undefined ? this.#store.kept : this.#store.kept.slice(0, -1);
    const temporary = textOf(make);
    const now = new Date();
    for (const [i, file] of kept.entries()) {
      if (!used[i] || file.folded) continue;
      try {
        utimesSync(textOf(file.path), now, now);
      } catch {
        // It is gone, or another's and may only be read.
      }
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
      reap(this.#dir, MAX_BYTES);
    } catch {
      // The image is what was asked for, and it is written.
    }
  }
}

const textOf = (path: string) => Buffer.from(path, "latin1").toString("utf8");

/** Bytes that all files may have together, in a folder that need not exist; undefined: not known. */
export const blockLimit = (dir: string): number | undefined => limitOf(dir, MAX_BYTES);
