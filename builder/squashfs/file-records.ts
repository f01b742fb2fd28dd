// What images had of their files, so that the next one reads only those that changed.
//
// Each image that has a file which no record knows leaves a record of its own (native/file_record.h, with the
// rule by which a file is unchanged). A record says nothing of contents, only which kept blocks hold them:
// where these are gone the file is read again. So the bytes of an image do not depend on it.

import { createHash, randomBytes } from "node:crypto";
import { renameSync, rmSync, utimesSync } from "node:fs";
import path from "node:path";
import { filesIn, isUsable, reap } from "../host/bounded-folder.ts";
import { keepTemporary, removeTemporary, temporaryFile } from "../host/temporary.ts";
import type { Fragments, FileRecords as NativeRecords, WrittenContents } from "../native/addon.ts";
import { byteString } from "../tree/path.ts";

/** Of all records together; the longest unused go first. */
const MAX_BYTES = 512 << 20;
/** As many are looked at for the one that knows the files best. */
const MAX_READ = 8;

export class FileRecords {
  readonly #dir: string | undefined;
  readonly #isParanoid: boolean;
  #record: NativeRecords | undefined;

  /**
   * @param dir need not exist; undefined: nothing is recorded
   * @param isParanoid nothing that was recorded is believed
   */
  constructor(dir: string | undefined, isParanoid: boolean) {
    this.#dir = dir;
    this.#isParanoid = isParanoid;
  }

  /** @param blocks key of the blocks; undefined: none are kept, so nothing is recorded */
  open(blocks: string | undefined, fragments: Fragments): NativeRecords | undefined {
    const dir = this.#dir;
    if (dir === undefined || blocks === undefined || !isUsable(dir)) return undefined;
    const key = createHash("sha256").update(`${blocks} ${fragments}`).digest("hex").slice(0, 32);
    const isOwn = (file: { path: string }) => path.basename(file.path).startsWith(`${key}-`);
    // What has more bytes than all together may have is none, and memory for it need not be there.
    const own = filesIn(dir)
      .filter((file) => isOwn(file) && file.bytes <= MAX_BYTES)
      .sort((a, b) => b.used - a.used);
    const read = this.#isParanoid ? [] : own.slice(0, MAX_READ);
    const kept = read.map((file) => byteString(file.path));
    this.#record = { key, kept, make: byteString(temporaryFile(dir)) };
    return this.#record;
  }

  /** Removes what was begun for an image that was not finished. */
  discard(): void {
    if (this.#record !== undefined) removeTemporary(textOf(this.#record.make));
    this.#record = undefined;
  }

  /** Publishes what was recorded, and removes what is of no more use. */
  publish({ isRecorded, usedRecord, isReplaced }: WrittenContents): void {
    if (this.#record === undefined || this.#dir === undefined) return;
    const { key, kept, make } = this.#record;
    const used = kept[usedRecord];
    const now = new Date();
    try {
      if (isRecorded) {
        const name = `${key}-${randomBytes(8).toString("hex")}`;
        renameSync(textOf(make), path.join(this.#dir, name));
        keepTemporary(textOf(make));
      }
      if (used !== undefined && isReplaced) rmSync(textOf(used), { force: true });
      else if (used !== undefined) utimesSync(textOf(used), now, now);
      reap(this.#dir, MAX_BYTES);
    } catch {
      // The image is what was asked for, and it is written.
    }
  }
}

const textOf = (bytes: string) => Buffer.from(bytes, "latin1").toString("utf8");
