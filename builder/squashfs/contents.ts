// Contents of files → data blocks and fragments, by the native pipeline.

import {
  addon,
  type ContentsJob,
  type ContentsWriter,
  FRAGMENT,
  fromNative,
  type NativeCompression,
  NONE,
  WRITTEN,
  type WrittenContents,
} from "../native/addon.ts";
import { contentSize } from "../tree/node.ts";
import { BlockCache, isSlow } from "./block-cache.ts";
import { xzDictionary } from "./compressor-options.ts";
import { FileRecords } from "./file-records.ts";
import type { FileLayout } from "./inodes.ts";
import { layoutOrder } from "./layout.ts";
import { type ChosenCompressions, chosenCompressions, storing } from "./per-path.ts";
import { type Plan, plannedFile } from "./plan.ts";
import { sources } from "./sources.ts";
import type { ResolvedOptions, WriteOptions } from "./squashfs-options.ts";

const PROGRESS_MS = 100;

export interface Contents {
  /** Where the contents of a file are, by its number. */
  layout(number: number): FileLayout;
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
  plan: Plan,
  place: ContentsPlace,
  resolved: ResolvedOptions,
  options: WriteOptions,
): Promise<Contents> {
  const { files, ahead } = layoutOrder(plan, options.first);
  const sizeOf = (number: number) => contentSize(plannedFile(plan, number).contents);
  const contentBytes = files.reduce((sum, number) => sum + sizeOf(number), 0);
  const own = { ...nativeCompression(resolved), probes: isSlow(resolved) };
  const choice = chosenCompressions(plan, own, options);
  const stored = storedBlocks(plan, files.subarray(0, ahead), choice, options.stored);
  const { compressions, chosen } = choice;
  const cache = new BlockCache(options.blockCache, resolved);
  const store = cache.open(options.earlyBlocks);
  const records = new FileRecords(options.fileRecords, options.paranoid === true);
  const record = records.open(cache.isKept ? store?.key : undefined, resolved.fragments);
  const writer = addon().writeContents({
    ...sources(plan, files),
    store,
    record,
    compressions,
    stored,
    chosen: Uint8Array.from(files, (number) => chosen.get(number) ?? 0),
    fragments: resolved.fragments,
    order: resolved.order,
    ahead,
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
    return { ...collect(plan, files, written), contentBytes };
  } finally {
    cache.discard();
    records.discard();
  }
}

/** @param files the first ones */
function storedBlocks(
  { inodes }: Plan,
  files: Uint32Array,
  choice: ChosenCompressions,
  stored: WriteOptions["stored"],
): ContentsJob["stored"] {
  if (stored === undefined || stored.size === 0)
    return { compression: 0, blocks: new Uint32Array() };
  const blocks = Array.from(files, (number, i) =>
    (stored.get(inodes.node(number)) ?? []).flatMap((block) => [i, block]),
  ).flat();
  return { compression: storing(choice), blocks: Uint32Array.from(blocks) };
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
  plan: Plan,
  files: Uint32Array,
  written: WrittenContents,
): Omit<Contents, "contentBytes"> {
  const column = (row: number, name: keyof typeof WRITTEN): number =>
    written.files[row * WRITTEN.columns + WRITTEN[name]] as number;
  const rows = new Uint32Array(plan.inodes.size + 1);
  let sparseBytes = 0;
  let duplicates = 0;
  files.forEach((number, row) => {
    rows[number] = row;
    sparseBytes += column(row, "sparse");
    if (column(row, "duplicateOf") !== NONE) duplicates++;
  });
  return {
    layout(number) {
      const row = rows[number] as number;
      const first = column(row, "firstBlock");
      return {
        size: contentSize(plannedFile(plan, number).contents),
        start: column(row, "start"),
        blocks: written.blockSizes.subarray(first, first + column(row, "blockCount")),
        sparse: column(row, "sparse"),
        fragment: column(row, "fragment"),
        fragmentOffset: column(row, "fragmentOffset"),
      };
    },
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
