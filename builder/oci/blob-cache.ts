/**
 * Blobs of images that were fetched, kept for the next build, and what the tags meant that were asked for.
 *
 * A blob has its digest as name and is checked when it is taken out: one that was cut or changed is removed
 * and fetched again. Files are never changed and come by rename, so builds at the same time do not disturb
 * each other; one that is in use stays open, whoever removes its name meanwhile. Where nothing can be kept,
 * blobs are fetched into a folder that goes with the build.
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
  file: FileHandle;
  /** @throws E_OUTPUT_FAILED */
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

  /** @param dir need not exist; undefined: nothing is kept */
  constructor(dir: string | undefined) {
    this.#dir = dir !== undefined && isUsable(dir) ? dir : undefined;
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
    rmSync(name, { force: true });
    return undefined;
  }

  /** @throws E_TMPDIR, E_OUTPUT_FAILED */
  async create(digest: string): Promise<NewBlob> {
    const temporary = temporaryFile(this.#dir ?? this.#workspace.path);
    const failed = (cause: unknown) => {
      throw errors.outputFailed(temporary, "writing", cause);
    };
    const file = await open(temporary, "wx+", 0o600).catch(failed);
    let isPublished = false;
    return {
      file,
      write: (bytes, position) => writeAt(file.fd, bytes, position).catch(failed),
      publish: async () => {
        const name = this.#name(digest);
        if (name === undefined) return;
        try {
          renameSync(temporary, name);
        } catch (cause) {
          failed(cause);
        }
        keepTemporary(temporary);
        isPublished = true;
      },
      // What is open stays readable without a name.
      end: async () => {
        if (!isPublished) removeTemporary(temporary);
      },
    };
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
      removeTemporary(temporary);
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
