// Compressed blocks of large files that are packed again and again, kept for the next image.
//
// A file of blocks is found by the contents it was made of and by all that made it, the addon's own
// bytes included. It ends with a sha256 of that key and of what it holds, so that neither one that is
// damaged nor one in the place of another is taken; such a one is removed. Each block is compared
// with the contents once more when it is used (native/cached_blocks.h). Where nothing can be kept,
// images are written without: the bytes are the same.

import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { appendFile, open } from "node:fs/promises";
import path from "node:path";
import { sha256OfFile } from "../host/digest.ts";
import { addonPath } from "../host/paths.ts";
import { keepTemporary, removeTemporary, temporaryFile } from "../host/temporary.ts";
import { ownFolder } from "../host/trusted.ts";
import { byteString } from "../tree/path.ts";
import type { PlannedFile } from "./plan.ts";
import type { ResolvedOptions } from "./squashfs-options.ts";

const DIGEST_BYTES = 32;
/** What was not used for so long is removed, ms. */
const MAX_AGE = 30 * 24 * 3600 * 1000;

interface Made {
  /** Under which it is written. */
  temporary: string;
  place: string;
}

export class BlockCache {
  readonly #dir: string | undefined;
  readonly #settings: string;
  readonly #blockSize: number;
  /** Of the addon. */
  #program: string | undefined;
  #isPrepared: boolean | undefined;
  #made: Made[] = [];

  constructor(dir: string | undefined, resolved: ResolvedOptions) {
    const { compression, level, variants, blockSize } = resolved;
    // Stored blocks are as quickly read from the file itself.
    this.#dir = compression === "none" ? undefined : dir;
    this.#blockSize = blockSize;
    this.#settings = [compression, level, variants, blockSize].join(" ");
  }

  /** Files of blocks for the files that can have one, by index. */
  async open(
    files: readonly PlannedFile[],
  ): Promise<Record<number, { path: string; make: boolean }>> {
    const blocks: Record<number, { path: string; make: boolean }> = {};
    for (const [i, { contents }] of files.entries()) {
      if (this.#dir === undefined || contents.from !== "disk" || !contents.digest) continue;
      // The end of a file is in a fragment, with the ends of others.
      if (contents.size < this.#blockSize) continue;
      const place = path.join(this.#dir, this.#key(contents.digest));
      // What others put there is as whole as what we did.
      if (ownFolder(this.#dir) !== undefined && (await isWhole(place)))
        blocks[i] = { path: byteString(place), make: false };
      else if (this.#prepare()) {
        const temporary = temporaryFile(this.#dir);
        this.#made.push({ temporary, place });
        blocks[i] = { path: byteString(temporary), make: true };
      }
    }
    return blocks;
  }

  /** Removes what was begun for an image that was not finished. */
  discard(): void {
    for (const { temporary } of this.#made) removeTemporary(temporary);
    this.#made = [];
  }

  /** Publishes what was made. */
  async publish(): Promise<void> {
    const made = this.#made;
    this.#made = [];
    for (const { temporary, place } of made) {
      try {
        await appendFile(temporary, await digestOf(place, temporary));
        renameSync(temporary, place);
        keepTemporary(temporary);
      } catch {
        removeTemporary(temporary); // The image is what was asked for, and it is written.
      }
    }
  }

  #key(digest: string): string {
    this.#program ??= createHash("sha256").update(readFileSync(addonPath())).digest("hex");
    const made = `${digest} ${this.#settings} ${this.#program}`;
    return createHash("sha256").update(made).digest("hex");
  }

  #prepare(): boolean {
    this.#isPrepared ??= this.#makeRoom();
    return this.#isPrepared;
  }

  /** Whether something can be kept. */
  #makeRoom(): boolean {
    const dir = this.#dir ?? "";
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      if (ownFolder(dir) === undefined) return false;
      for (const name of readdirSync(dir)) {
        const file = path.join(dir, name);
        if (Date.now() - statSync(file).mtimeMs > MAX_AGE) rmSync(file, { force: true });
      }
      return true;
    } catch {
      return false;
    }
  }
}

/** Of a file of blocks as it stands at its place, which is named after its key. */
function digestOf(place: string, file: string, end?: number): Promise<Buffer> {
  return sha256OfFile(file, { before: path.basename(place), ...(end !== undefined && { end }) });
}

/** Looks whether a file of blocks is there and undamaged, and marks it as used. */
async function isWhole(place: string): Promise<boolean> {
  const isSame = await endsWithDigest(place).catch(() => undefined);
  if (isSame === undefined) return false;
  const now = new Date();
  try {
    if (isSame) utimesSync(place, now, now);
    else rmSync(place, { force: true });
  } catch {
    // Another's cache that may only be read: what is in it was checked all the same.
  }
  return isSame;
}

async function endsWithDigest(place: string): Promise<boolean> {
  const handle = await open(place);
  try {
    const end = (await handle.stat()).size - DIGEST_BYTES;
    if (end <= 0) return false;
    const found = Buffer.alloc(DIGEST_BYTES);
    await handle.read(found, 0, DIGEST_BYTES, end);
    return found.equals(await digestOf(place, place, end));
  } finally {
    await handle.close();
  }
}
