/**
 * What was learned of files that builds meet again and again, kept for the next one.
 *
 * An entry is found by a digest of what it was learned from and of the code that learned it. It ends with a
 * sha256 of its name and of what it holds: one that is damaged, or in the place of another, is removed and
 * learned again. Where nothing can be kept it is learned each time; what a build writes is the same.
 */
import { createHash } from "node:crypto";
import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { cacheFolder } from "./cache-folders.ts";
import { makeFolder } from "./make-folder.ts";
import { keepTemporary, removeTemporary, temporaryFile } from "./temporary.ts";
import { ownFolder } from "./trusted.ts";

const DIGEST_BYTES = 32;
/** What was not used for so long is removed, ms. */
const MAX_AGE = 30 * 24 * 3600 * 1000;
/** Of all entries together, and of one that is kept; the longest unused go first. Bytes. */
const MAX_BYTES = 64 << 20;
const MAX_ENTRY = 16 << 20;

export class Learned {
  readonly #dir: string | undefined;
  readonly #code: string;

  /**
   * @param dir need not exist; undefined: nothing is kept
   * @param code names the code that learns
   */
  constructor(dir: string | undefined, code: string) {
    this.#dir = dir;
    this.#code = code;
  }

  /**
   * What was learned before, or what `learn` says.
   *
   * @param from all that `learn` goes by, as JSON can say it
   */
  async get(from: readonly unknown[], learn: () => Promise<Buffer>): Promise<Buffer> {
    const key = createHash("sha256")
      .update(JSON.stringify([this.#code, from]))
      .digest("hex");
    const known = this.#take(key);
    if (known !== undefined) return known;
    const learned = await learn();
    if (learned.length <= MAX_ENTRY) this.#keep(key, learned);
    return learned;
  }

  /** The same for what JSON can say. */
  async value<T>(from: readonly unknown[], learn: () => Promise<T>): Promise<T> {
    const kept = await this.get(from, async () => Buffer.from(JSON.stringify([await learn()])));
    return (JSON.parse(kept.toString("utf8")) as [T])[0];
  }

  #take(key: string): Buffer | undefined {
    if (this.#dir === undefined || ownFolder(this.#dir) === undefined) return undefined;
    const file = path.join(this.#dir, key);
    let kept: Buffer;
    try {
      kept = readFileSync(file);
    } catch {
      return undefined; // Not there, or not to be read.
    }
    const held = kept.subarray(0, Math.max(0, kept.length - DIGEST_BYTES));
    const isWhole = kept.subarray(held.length).equals(digestOf(key, held));
    const now = new Date();
    try {
      if (isWhole) utimesSync(file, now, now);
      else rmSync(file, { force: true });
    } catch {
      // One that may only be read: what is in it was checked all the same.
    }
    return isWhole ? held : undefined;
  }

  #keep(key: string, held: Buffer): void {
    const dir = this.#dir;
    if (dir === undefined) return;
    let temporary: string | undefined;
    try {
      makeFolder(dir, 0o700);
      if (ownFolder(dir) === undefined) return;
      temporary = temporaryFile(dir);
      writeFileSync(temporary, Buffer.concat([held, digestOf(key, held)]), {
        flag: "wx",
        mode: 0o600,
      });
      renameSync(temporary, path.join(dir, key));
      keepTemporary(temporary);
      reap(dir);
    } catch {
      // No place, no right, no room: it is learned again.
      if (temporary !== undefined) removeTemporary(temporary);
    }
  }
}

/** Removes what is old, and what is too much. @throws what the system says */
function reap(dir: string): void {
  const entries = readdirSync(dir).flatMap((name) => {
    const file = path.join(dir, name);
    const stats = statSync(file, { throwIfNoEntry: false });
    return stats === undefined ? [] : [{ file, mtimeMs: stats.mtimeMs, size: stats.size }];
  });
  let bytes = 0;
  for (const { file, mtimeMs, size } of entries.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
    bytes += size;
    if (bytes > MAX_BYTES || Date.now() - mtimeMs > MAX_AGE) rmSync(file, { force: true });
  }
}

function digestOf(key: string, held: Buffer): Buffer {
  return createHash("sha256").update(key).update(held).digest();
}

/**
 * What the user's cache has, of the code at `url`. The name of a built chunk has a digest of all that is in
 * it and of what it imports; code under another name may change, so nothing is kept for it.
 *
 * @param url `import.meta.url` of who learns
 */
export function learnedBy(url: string): Learned {
  const code = /\/chunks\/(chunk-[0-9A-Z]{8})\.js$/.exec(url)?.[1];
  const dir = code === undefined ? undefined : cacheFolder("learned");
  return new Learned(dir, code ?? "");
}
