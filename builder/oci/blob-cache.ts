/**
 * Blobs of images that were fetched, kept for the next build, and what the tags meant that were asked for.
 *
 * A blob has its digest as name and is checked when it is taken out: one that was cut or changed is removed
 * and fetched again. Files are never changed and come by rename, so builds at the same time do not disturb
 * each other; one that is in use stays open, whoever removes its name meanwhile. Where nothing can be kept, or nothing
 * any more, blobs are fetched into a folder that goes with the build, and one that has been begun goes on there.
 */
import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { isUsable, limitOf, reap } from "../host/bounded-folder.ts";
import { keepTemporary, removeTemporary, temporaryFile, Workspace } from "../host/temporary.ts";
import { writeAt } from "../output/write-at.ts";
import { type Descriptor, hashOf } from "./store.ts";

/** Of all files together, where the disk has far more, bytes. */
const MAX_BYTES = 8 * 1024 ** 3;
/** Read at once, bytes. */
const CHUNK = 1 << 20;

/** Bytes that all blobs may have together, in a folder that need not exist; undefined: not known. */
export const blobLimit = (dir: string): number | undefined => limitOf(dir, MAX_BYTES);

/** A blob that is being fetched. */
export interface NewBlob {
  /** For reading, once all is written: where it lies may change until then. */
  readonly file: FileHandle;
  /** @throws E_OUTPUT_*, E_TMPDIR */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Gives it its name: it is whole, and what its digest says. */
  publish(): Promise<void>;
  /** Whatever has become of it, nothing more is written. */
  end(): Promise<void>;
}

export class BlobCache {
  /** Undefined: nothing is kept. */
  readonly #dir: string | undefined;
  readonly #workspace = new Workspace();
  readonly #onUnusable: (what: string) => void;
  /** Whether nothing more is put there. */
  #isUnusable = false;

  /**
   * @param dir need not exist; undefined: nothing is kept
   * @param onUnusable is told once, in words, why nothing can be kept, or nothing more
   */
  constructor(dir: string | undefined, onUnusable: (what: string) => void = () => {}) {
    this.#onUnusable = onUnusable;
    this.#dir = dir !== undefined && isUsable(dir) ? dir : undefined;
    if (this.#dir === dir) return;
    onUnusable(`${dir} cannot be made, or others than the user can change what is there`);
  }

  /** A blob, open for reading, or undefined: it is not there as it was. To be closed by the caller. */
  async take(descriptor: Descriptor): Promise<FileHandle | undefined> {
    const name = this.#name(descriptor.digest);
    if (name === undefined) return undefined;
    const file = await open(name, "r").catch(() => undefined);
    if (file === undefined) return undefined;
    if (await isWhole(file, descriptor)) {
      touch(name);
      return file;
    }
    await file.close();
    try {
      rmSync(name, { force: true });
    } catch {
      // Where it cannot be removed it is passed over each time.
    }
    return undefined;
  }

  /** @throws E_TMPDIR, E_OUTPUT_* */
  async create(digest: string): Promise<NewBlob> {
    let part = await this.#begin();
    const leave = async (cause: unknown, length: number) => {
      this.#giveUp(cause);
      const next = await this.#begin();
      try {
        await copyStart(part.file, next, length);
      } finally {
        await part.file.close();
        part.remove();
        part = next;
      }
    };
    const write = async (bytes: Uint8Array, position: number): Promise<void> => {
      try {
        await writeAt(part.file.fd, bytes, position);
      } catch (cause) {
        if (!part.isKept) throw errors.outputFailed(part.name, "writing", cause);
        await leave(cause, position);
        await write(bytes, position);
      }
    };
    let isPublished = false;
    return {
      get file() {
        return part.file;
      },
      write,
      publish: async () => {
        const name = this.#name(digest);
        if (name === undefined || !part.isKept) return;
        try {
          renameSync(part.name, name);
          keepTemporary(part.name);
          isPublished = true;
        } catch (cause) {
          // Whoever has cleared the cache, or made room in it, has taken this one with the others.
          if (errors.errnoCode(cause) !== "ENOENT") this.#giveUp(cause);
        }
      },
      // What is open stays readable without a name.
      end: async () => {
        if (!isPublished) part.remove();
      },
    };
  }

  /** A file in the cache, or where there can be none there in the folder that goes with the build. */
  async #begin(): Promise<Part> {
    // A cache that is cleared goes on as an empty one.
    for (let isAgain = false; this.#dir !== undefined && !this.#isUnusable; isAgain = true) {
      try {
        return await newPart(this.#dir, true);
      } catch (cause) {
        const isCleared = errors.errnoCode(cause) === "ENOENT" && isUsable(this.#dir);
        if (isAgain || !isCleared) this.#giveUp(cause);
      }
    }
    return newPart(this.#workspace.path, false).catch((cause: unknown) => {
      throw errors.outputFailed(this.#workspace.path, "creating a temporary file", cause);
    });
  }

  #giveUp(cause: unknown): void {
    if (!this.#isUnusable) this.#onUnusable(`${this.#dir}: ${errors.systemReason(cause)}`);
    this.#isUnusable = true;
  }

  /** What a tag meant when it was asked for last. */
  tag(reference: string): Descriptor | undefined {
    const name = this.#tagName(reference);
    if (name === undefined) return undefined;
    try {
      const kept = JSON.parse(readFileSync(name, "utf8")) as KeptTag;
      if (kept.reference !== reference || !isDescriptor(kept.root)) return undefined;
      touch(name);
      return kept.root;
    } catch {
      return undefined; // Not there, or not whole.
    }
  }

  /** Where it cannot be kept, it is asked for again. */
  keepTag(reference: string, { mediaType, digest, size }: Descriptor): void {
    const name = this.#tagName(reference);
    if (name === undefined || this.#dir === undefined) return;
    const kept: KeptTag = { reference, root: { mediaType, digest, size } };
    const temporary = temporaryFile(this.#dir);
    try {
      writeFileSync(temporary, `${JSON.stringify(kept)}\n`, { flag: "wx", mode: 0o600 });
      renameSync(temporary, name);
      keepTemporary(temporary);
    } catch {
      removeQuietly(temporary);
    }
  }

  /** Removes what is old or too much, and what is not kept. */
  close(): void {
    this.#workspace.remove();
    if (this.#dir === undefined) return;
    try {
      reap(this.#dir, MAX_BYTES);
    } catch {
      // Another build was quicker, or it may only be read.
    }
  }

  #name(digest: string): string | undefined {
    return this.#dir === undefined ? undefined : path.join(this.#dir, digest.replace(":", "-"));
  }

  #tagName(reference: string): string | undefined {
    if (this.#dir === undefined) return undefined;
    return path.join(this.#dir, `tag-${createHash("sha256").update(reference).digest("hex")}`);
  }
}

/** The file of a blob that is being fetched. */
interface Part {
  name: string;
  file: FileHandle;
  /** Whether it is in the cache. */
  isKept: boolean;
  remove(): void;
}

/** @throws what the system says */
async function newPart(dir: string, isKept: boolean): Promise<Part> {
  const name = temporaryFile(dir);
  try {
    const file = await open(name, "wx+", 0o600);
    return { name, file, isKept, remove: () => removeQuietly(name) };
  } catch (cause) {
    keepTemporary(name);
    throw cause;
  }
}

/** What cannot be removed has no name that anybody takes for a blob. */
function removeQuietly(name: string): void {
  try {
    removeTemporary(name);
  } catch {
    keepTemporary(name);
  }
}

/** @throws E_FILE_UNREADABLE, E_OUTPUT_* */
async function copyStart(from: FileHandle, to: Part, length: number): Promise<void> {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK, length));
  for (let at = 0; at < length; ) {
    const { bytesRead } = await from.read(chunk, 0, Math.min(CHUNK, length - at), at);
    if (bytesRead === 0) throw errors.fileChanged(to.name, "it became shorter");
    await writeAt(to.file.fd, chunk.subarray(0, bytesRead), at).catch((cause: unknown) => {
      throw errors.outputFailed(to.name, "writing", cause);
    });
    at += bytesRead;
  }
}

interface KeptTag {
  reference: string;
  root: Descriptor;
}

const isDescriptor = ({ mediaType, digest, size }: Partial<Descriptor> = {}): boolean =>
  typeof mediaType === "string" &&
  /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(digest ?? "") &&
  Number.isSafeInteger(size);

/** What was used last goes last. */
function touch(name: string): void {
  const now = new Date();
  try {
    utimesSync(name, now, now);
  } catch {
    // It is gone, or may only be read.
  }
}

async function isWhole(file: FileHandle, { digest, size }: Descriptor): Promise<boolean> {
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size !== size) return false;
    const hash = hashOf(digest);
    const chunk = Buffer.allocUnsafe(CHUNK);
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK, at);
      if (bytesRead === 0) break;
      hash.update(chunk.subarray(0, bytesRead));
      at += bytesRead;
    }
    return hash.digest("hex") === digest.slice(digest.indexOf(":") + 1);
  } catch {
    return false; // A disk that does not give it back.
  }
}
