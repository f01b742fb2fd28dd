/**
 * Entries of a tar file → a tree, as extraction by root would leave them: a later entry replaces an
 * earlier one, and a path leads through the symbolic links of the tree, never out of it.
 *
 * Small contents stay in memory up to a bound; others become files of the workspace, holes included.
 */
import path from "node:path";
import * as errors from "../../errors.ts";
import type { Contents } from "../../tree/node.ts";
import { displayPath } from "../../tree/path.ts";
import type { Tree } from "../../tree/tree.ts";
import { ByteStream } from "./byte-stream.ts";
import { decompressed } from "./decompress.ts";
import { placeEntry } from "./place-entry.ts";
import { spooled } from "./spool.ts";
import { TarProblem } from "./tar-header.ts";
import { type TarEntry, tarEntries } from "./tar-reader.ts";

/** Contents up to this stay in memory, bytes. */
const SMALL = 64 << 10;
/** All of them together, bytes. */
const IN_MEMORY = 64 << 20;

export interface TarOptions {
  /** Folder for contents that stay until the tree is written. */
  workspace: string;
  /** Take devices and fifos instead of refusing them. */
  devices: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Adds the entries of a tar file, compressed by gzip, zstd or xz, or not.
 *
 * @param source its bytes
 * @param shown how messages call it
 * @throws E_ARCHIVE_CORRUPT, E_ARCHIVE_FORMAT, E_ARCHIVE_UNSAFE, E_FILE_KIND, E_PATH_INVALID, E_OUTPUT_* for the workspace
 */
export async function addTar(
  tree: Tree,
  source: AsyncIterable<Uint8Array>,
  shown: string,
  options: TarOptions,
): Promise<void> {
  const raw = new ByteStream(source);
  const adding = new TarAdding(tree, shown, options);
  try {
    const head = await raw.read(6);
    const bytes = new ByteStream(decompressed(head, restOf(raw), shown));
    for await (const entry of tarEntries(bytes)) {
      options.signal?.throwIfAborted();
      await adding.add(entry);
    }
  } catch (thrown) {
    if (thrown instanceof TarProblem)
      throw errors.archiveCorrupt(shown, "tar archive", thrown.message, thrown);
    throw thrown;
  } finally {
    await raw.close();
  }
}

async function* restOf(stream: ByteStream): AsyncGenerator<Uint8Array> {
  for (;;) {
    const part = await stream.some(1 << 20);
    if (part === undefined) return;
    yield part;
  }
}

class TarAdding {
  readonly #tree: Tree;
  readonly #shown: string;
  readonly #options: TarOptions;
  #inMemory = 0;
  #files = 0;

  constructor(tree: Tree, shown: string, options: TarOptions) {
    this.#tree = tree;
    this.#shown = shown;
    this.#options = options;
  }

  async add(entry: TarEntry): Promise<void> {
    const refuse = (what: string) =>
      errors.archiveUnsafe(this.#shown, `${displayPath(entry.name)} ${what}`);
    this.#requireDevices(entry);
    const contents = entry.kind === "file" ? await this.#contents(entry) : undefined;
    placeEntry(this.#tree.root, entry, contents, refuse);
  }

  #requireDevices({ name, kind }: TarEntry): void {
    if (this.#options.devices || !isSpecial(kind)) return;
    throw errors.fileKind(`${this.#shown}: ${displayPath(name)}`, kind.replace("-", " "));
  }

  async #contents(entry: TarEntry): Promise<Contents> {
    const { size, ranges } = entry;
    if (ranges === undefined && size <= SMALL && this.#inMemory + size <= IN_MEMORY) {
      const parts: Uint8Array[] = [];
      for await (const part of entry.contents()) parts.push(part);
      this.#inMemory += size;
      return { from: "memory", bytes: Buffer.concat(parts) };
    }
    return spooled(entry, path.join(this.#options.workspace, `${this.#files++}`));
  }
}

const isSpecial = (kind: TarEntry["kind"]) => kind === "fifo" || kind.endsWith("-device");
