/** Blobs of an image that is being made: files in a private folder, known by their digests. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import type { Descriptor, Region } from "./store.ts";

/** A blob and where its bytes are. */
export interface StagedBlob {
  descriptor: Descriptor;
  region: Region;
  /** Repositories that have it, of the registry that it goes to. */
  from?: readonly string[];
}

export class Staging {
  readonly #folder: string;
  #count = 0;

  /** @param folder private, and removed by whoever made it */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Writes a stream to the disk.
   *
   * @throws E_OUTPUT_*, and what the stream throws
   */
  async stream(mediaType: string, bytes: AsyncIterable<Uint8Array>): Promise<StagedBlob> {
    const file = path.join(this.#folder, `${this.#count++}`);
    const hash = createHash("sha256");
    let size = 0;
    const failed = (step: string) => (cause: unknown) => {
      throw errors.outputFailed(file, step, cause);
    };
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const handle = await open(file, flags, 0o600).catch(failed("creating a temporary file"));
    try {
      for await (const piece of bytes) {
        hash.update(piece);
        size += piece.length;
        await handle.writeFile(piece).catch(failed("writing"));
      }
    } finally {
      await handle.close();
    }
    const digest = `sha256:${hash.digest("hex")}`;
    return { descriptor: { mediaType, digest, size }, region: { path: file, offset: 0, size } };
  }

  bytes(mediaType: string, bytes: Uint8Array): Promise<StagedBlob> {
    async function* once() {
      yield bytes;
    }
    return this.stream(mediaType, once());
  }
}
