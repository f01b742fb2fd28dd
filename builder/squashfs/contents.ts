// Contents of files → data blocks and fragments, by the native pipeline.

import {
  addon,
  type ContentsJob,
  type ContentsWriter,
  FRAGMENT,
  fromNative,
  IDENTITY,
  type NativeCompression,
  NONE,
  WRITTEN,
  type WrittenContents,
} from "../native/addon.ts";
import { type Change, contentSize, type Node } from "../tree/node.ts";
import { BlockCache, isSlow } from "./block-cache.ts";
import { xzDictionary } from "./compressor-options.ts";
import { FileRecords } from "./file-records.ts";
import type { FileLayout } from "./inodes.ts";
import { layoutOrder } from "./layout.ts";
import { chosenCompressions } from "./per-path.ts";
import type { Plan, PlannedFile } from "./plan.ts";
import type { ResolvedOptions, WriteOptions } from "./squashfs-options.ts";

const PROGRESS_MS = 100;

export interface Contents {
  layouts: ReadonlyMap<Node, FileLayout>;
  /** Entries of the fragment table. */
  fragments: Buffer;
  fragmentCount: number;
  /** Of all regular files, bytes. */
  contentBytes: number;
  sparseBytes: number;
  duplicates: number;
  /** Files that were not read. */
  unread: number;
  blocks: number;
  /** Bytes from the superblock to the end of the last block. */
  end: number;
}

export interface ContentsPlace {
  fd: number;
  /** Of the superblock, bytes. */
  imageOffset: number;
  /** Of the first block, bytes from the superblock. */
  dataOffset: number;
  /** The output as a message may name it. */
  shown: string;
}

/** Writes the contents of all files. Throws what `fromNative` says, or the signal's reason. */
export async function writeContents(
  plan: Pick<Plan, "files" | "directories">,
  place: ContentsPlace,
  resolved: ResolvedOptions,
  options: WriteOptions,
): Promise<Contents> {
  const files = layoutOrder(plan.files, options.first);
  const contentBytes = files.reduce((sum, file) => sum + contentSize(file.contents), 0);
  const own = { ...nativeCompression(resolved), probes: isSlow(resolved) };
  const { compressions, chosen } = chosenCompressions(plan, own, options);
  const cache = new BlockCache(options.blockCache, resolved);
  const store = cache.open();
  const records = new FileRecords(options.fileRecords, options.paranoid === true);
  const record = records.open(store?.key, resolved.fragments);
  const writer = addon().writeContents({
    ...sources(files),
    store,
    record,
    compressions,
    chosen: Uint8Array.from(files, ({ node }) => chosen.get(node) ?? 0),
    fragments: resolved.fragments,
    blockSize: resolved.blockSize,
    threads: resolved.threads,
    fd: place.fd,
    imageOffset: place.imageOffset,
    dataOffset: place.dataOffset,
  });
  const total = { totalBytes: contentBytes, totalFiles: files.length };
  try {
    const written = await observed(writer, options, total, place.shown);
    cache.publish(written.keptBlocks, written.usedFiles);
    records.publish(written);
    return { ...collect(files, written), contentBytes };
  } finally {
    cache.discard();
    records.discard();
  }
}

/** How the addon takes what was chosen. */
export function nativeCompression(resolved: ResolvedOptions): NativeCompression {
  const { compression, level = 0, variants, blockSize } = resolved;
  return {
    codec: compression,
    level,
    variants,
    dictionary: xzDictionary(blockSize),
    tag: 0,
    probes: false,
  };
}

function sources(
  files: readonly PlannedFile[],
): Pick<ContentsJob, "paths" | "identities" | "memory" | "changes"> {
  const paths: string[] = [];
  const identities = new BigInt64Array(files.length * IDENTITY.columns);
  const memory: Record<number, Uint8Array> = {};
  const changes: Record<number, Change> = {};
  files.forEach(({ contents }, i) => {
    const row = i * IDENTITY.columns;
    identities[row + IDENTITY.size] = BigInt(contentSize(contents));
    if (contents.from === "memory") {
      paths.push("");
      memory[i] = contents.bytes;
    } else if (contents.from !== "image") {
      const { dev, ino, mtimeNs, ctimeNs } = contents.identity;
      paths.push(contents.path);
      const isPart = contents.from === "region";
      if (!isPart && contents.change !== undefined) changes[i] = contents.change;
      identities[row + IDENTITY.offset] = BigInt(isPart ? contents.offset : 0);
      identities[row + IDENTITY.fileSize] = BigInt(isPart ? contents.fileSize : contents.size);
      identities[row + IDENTITY.dev] = dev;
      identities[row + IDENTITY.ino] = ino;
      identities[row + IDENTITY.mtimeNs] = mtimeNs;
      identities[row + IDENTITY.ctimeNs] = ctimeNs;
    } else {
      throw new TypeError("contents of an image that is taken over are not written");
    }
  });
  return { paths, identities, memory, changes };
}

/** Waits for the pipeline, reporting progress and passing on an abort. */
async function observed(
  writer: ContentsWriter,
  { onProgress, signal }: WriteOptions,
  total: { totalBytes: number; totalFiles: number },
  shown: string,
): Promise<WrittenContents> {
  const abort = () => writer.abort();
  const report = () => onProgress?.({ ...writer.progress(), ...total });
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  const timer = onProgress && setInterval(report, PROGRESS_MS);
  try {
    const written = await writer.promise;
    report();
    return written;
  } catch (thrown) {
    signal?.throwIfAborted();
    throw fromNative(thrown, shown);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", abort);
  }
}

function collect(
  files: readonly PlannedFile[],
  written: WrittenContents,
): Omit<Contents, "contentBytes"> {
  const layouts = new Map<Node, FileLayout>();
  let sparseBytes = 0;
  let duplicates = 0;
  files.forEach(({ node, contents }, i) => {
    const column = (name: keyof typeof WRITTEN): number =>
      written.files[i * WRITTEN.columns + WRITTEN[name]] as number;
    const first = column("firstBlock");
    layouts.set(node, {
      size: contentSize(contents),
      start: column("start"),
      blocks: written.blockSizes.subarray(first, first + column("blockCount")),
      sparse: column("sparse"),
      fragment: column("fragment"),
      fragmentOffset: column("fragmentOffset"),
    });
    sparseBytes += column("sparse");
    if (column("duplicateOf") !== NONE) duplicates++;
  });
  return {
    layouts,
    fragments: encodeFragments(written.fragments),
    fragmentCount: written.fragments.length / FRAGMENT.columns,
    sparseBytes,
    duplicates,
    unread: written.unread,
    blocks: written.blocks,
    end: written.end,
  };
}

/** The fragment table: place and size word of every fragment, and 4 unused bytes. */
function encodeFragments(rows: Float64Array): Buffer {
  const count = rows.length / FRAGMENT.columns;
  const bytes = Buffer.alloc(count * 16);
  for (let i = 0; i < count; i++) {
    const row = i * FRAGMENT.columns;
    bytes.writeBigUInt64LE(BigInt(rows[row + FRAGMENT.start] as number), i * 16);
    bytes.writeUInt32LE(rows[row + FRAGMENT.size] as number, i * 16 + 8);
  }
  return bytes;
}
