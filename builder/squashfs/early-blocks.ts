/**
 * Blocks that are compressed while files are still being read, before it is known where they will stand:
 * layers of container images come one after the other, and only together they are a tree.
 *
 * What becomes of a block does not depend on it: the image that is written next finds those that were made
 * by what they hold, and makes the others. Who reads is never kept waiting, so what there is no thread for is
 * passed over.
 */
import { rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { limitOf } from "../host/bounded-folder.ts";
import { addon, type Cancellation, type NativeEarlyBlocks } from "../native/addon.ts";
import { byteString } from "../tree/path.ts";
import { BlockCache, isSlow } from "./block-cache.ts";
import { nativeCompression } from "./contents.ts";
import { type ResolvedOptions, resolveOptions, type WriteOptions } from "./squashfs-options.ts";

/** Bytes of all blocks that are made early, compressed, where the disk has far more. */
const MAX_BYTES = 4 * 1024 ** 3;

interface Place {
  file: string;
  /** Bytes that it may have. */
  limit: number;
}

/** undefined: there can be none, of which whoever cannot do without the folder says why. */
function placeOf(name: () => string): Place | undefined {
  try {
    const file = name();
    return { file, limit: limitOf(path.dirname(file), MAX_BYTES) ?? 0 };
  } catch {
    return undefined;
  }
}

/** Takes the contents of one file, in pieces from its start. */
export type EarlyFile = (piece: Uint8Array) => void;

export class EarlyBlocks {
  readonly #file: string;
  readonly #resolved: ResolvedOptions;
  readonly #cancellation: Cancellation;
  readonly #blocks: NativeEarlyBlocks;

  /**
   * Starts the threads.
   *
   * @param options those of the image that will be written
   * @param file where the blocks are kept for it; must not exist
   * @returns undefined where it would be of no use: blocks are compressed quickly, or not all in one way, or the
   *   disk has no room for them beside what has to be there
   */
  static start(options: WriteOptions, file: () => string): EarlyBlocks | undefined {
    const resolved = resolveOptions(options, os.availableParallelism());
    const { store = [], compress = [] } = options;
    if (!isSlow(resolved) || store.length + compress.length > 0) return undefined;
    const place = placeOf(file);
    if (place === undefined || place.limit < resolved.blockSize) return undefined;
    return new EarlyBlocks(options, resolved, place);
  }

  private constructor(options: WriteOptions, resolved: ResolvedOptions, { file, limit }: Place) {
    const { key, kept } = new BlockCache(options.blockCache, resolved).known();
    this.#file = file;
    this.#resolved = resolved;
    this.#cancellation = addon().cancellation();
    this.#blocks = addon().earlyBlocks(
      {
        store: { key, kept, make: byteString(file), limit },
        compression: { ...nativeCompression(resolved), probes: true },
        blockSize: resolved.blockSize,
        threads: resolved.threads,
      },
      this.#cancellation,
    );
  }

  /** For a file of `size` bytes; undefined where nothing of it is a block of its own. */
  file(size: number): EarlyFile | undefined {
    const { blockSize, fragments } = this.#resolved;
    const sharesEnd = fragments === "all" || (fragments === "small" && size <= blockSize);
    let left = sharesEnd ? size - (size % blockSize) : size;
    if (left === 0) return undefined;
    const block = Buffer.allocUnsafe(blockSize);
    let filled = 0;
    return (piece) => {
      for (let rest = piece.subarray(0, left); rest.length > 0; ) {
        const part = rest.subarray(0, blockSize - filled);
        rest = rest.subarray(part.length);
        left -= part.length;
        // A whole block need not be put together.
        if (part.length === blockSize) {
          this.#blocks.add(part);
          continue;
        }
        block.set(part, filled);
        filled += part.length;
        if (filled < blockSize && left > 0) continue;
        this.#blocks.add(block.subarray(0, filled));
        filled = 0;
      }
    };
  }

  /**
   * Ends the work; nothing more comes.
   *
   * @returns the file of the blocks; undefined: there is none
   */
  async finish(): Promise<string | undefined> {
    return (await this.#blocks.finish()) > 0 ? this.#file : undefined;
  }

  /** Ends the work for nothing. */
  async discard(): Promise<void> {
    addon().cancel(this.#cancellation);
    await this.#blocks.finish().catch(() => {});
    rmSync(this.#file, { force: true });
  }
}
