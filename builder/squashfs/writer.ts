// Tree → squashfs 4.0 image. The order of the parts is the format's:
//
//   superblock, compressor options, blocks and fragments, inode table, directory table,
//   fragment table, export table, id table, extended attributes, padding
//
// Contents are written first, by native threads; the tables follow from here. The superblock is
// written last, so that an image that was not finished is none.

import { open } from "node:fs/promises";
import os from "node:os";
import * as errors from "../errors.ts";
import { addon } from "../native/addon.ts";
import { writeAt } from "../output/write-at.ts";
import type { Tree } from "../tree/tree.ts";
import { encodeCompressorOptions } from "./compressor-options.ts";
import { type Contents, type ContentsPlace, nativeCompression, writeContents } from "./contents.ts";
import { IdTable } from "./ids.ts";
import { encodeInodeTables, type InodeTables } from "./inode-table.ts";
import type { Compress } from "./metadata.ts";
import { type Plan, planTree } from "./plan.ts";
import {
  type Destination,
  type ImageFacts,
  type ResolvedOptions,
  resolveOptions,
  type WriteOptions,
} from "./squashfs-options.ts";
import {
  compressorId,
  encodeSuperblock,
  FLAGS,
  IMAGE_ALIGNMENT,
  SUPERBLOCK_SIZE,
  type Superblock,
} from "./superblock.ts";
import { type EncodedTable, encodeTable } from "./table.ts";
import { XattrTable } from "./xattrs.ts";

/**
 * Writes `tree` as a squashfs 4.0 image, padded to 4096 bytes. The same tree and options give the
 * same bytes, whatever the number of threads. A destination given by path is created or truncated;
 * making that atomic, and removing what a failure leaves, is the caller's.
 *
 * Throws E_OPTION_VALUE, E_IMAGE_LIMIT, E_FILE_UNREADABLE, E_FILE_CHANGED, E_OUTPUT_*, or the
 * reason of an aborted signal.
 */
export async function writeSquashfs(
  tree: Tree,
  destination: Destination,
  options: WriteOptions = {},
): Promise<ImageFacts> {
  const resolved = resolveOptions(options, os.availableParallelism());
  options.signal?.throwIfAborted();
  if ("fd" in destination) {
    const place = { fd: destination.fd, imageOffset: destination.offset ?? 0, shown: "the image" };
    return writeImage(tree, place, resolved, options);
  }
  const shown = destination.path;
  const file = await open(shown, "w").catch((cause: unknown) => {
    throw errors.outputFailed(shown, "opening", cause);
  });
  try {
    return await writeImage(tree, { fd: file.fd, imageOffset: 0, shown }, resolved, options);
  } finally {
    await file.close();
  }
}

async function writeImage(
  tree: Tree,
  place: Omit<ContentsPlace, "dataOffset">,
  resolved: ResolvedOptions,
  options: WriteOptions,
): Promise<ImageFacts> {
  const plan = planTree(tree);
  const compressorOptions = encodeCompressorOptions(resolved);
  const dataOffset = SUPERBLOCK_SIZE + (compressorOptions?.length ?? 0);
  const contents = await writeContents(plan, { ...place, dataOffset }, resolved, options);
  options.signal?.throwIfAborted();
  const tables = encodeTables(plan, contents, resolved);
  const output = new TableOutput(place, contents.end);
  for (const bytes of tables.bytes) await output.append(bytes);
  await output.pad();
  const flags = tables.superblock.flags | (compressorOptions === undefined ? 0 : FLAGS.options);
  const superblock = encodeSuperblock({ ...tables.superblock, flags });
  await output.writeStart(Buffer.concat([superblock, compressorOptions ?? Buffer.alloc(0)]));
  return facts(plan, contents, tables, resolved);
}

interface Tables {
  bytes: Uint8Array[];
  superblock: Superblock;
  xattrSets: number;
}

function encodeTables(plan: Plan, contents: Contents, options: ResolvedOptions): Tables {
  const compress: Compress = addon().createCompressor(nativeCompression(options));
  const ids = new IdTable();
  const xattrs = new XattrTable();
  const { layout } = contents;
  const inodes: InodeTables = encodeInodeTables({ plan, layout, ids, xattrs, options, compress });
  const bytes = [...inodes.inodes.bytes, ...inodes.directories.bytes];
  const inodeTable = contents.end;
  const directoryTable = inodeTable + inodes.inodes.size;
  let at = directoryTable + inodes.directories.size;
  const add = (table: EncodedTable): number => {
    bytes.push(...table.bytes);
    at += table.size;
    return table.start;
  };
  const fragmentTable =
    contents.fragmentCount > 0 ? add(encodeTable(contents.fragments, at, compress)) : undefined;
  const exportTable = options.exports
    ? add(encodeTable(inodes.references, at, compress))
    : undefined;
  const idTable = add(encodeTable(ids.encode(), at, compress));
  const xattrTable = xattrs.count > 0 ? add(xattrs.encode(at, compress)) : undefined;
  const superblock: Superblock = {
    inodeCount: plan.inodes.size,
    mtime: options.mtime === "keep" ? inodes.newest : options.mtime,
    blockSize: options.blockSize,
    fragmentCount: contents.fragmentCount,
    compressor: compressorId(options.compression),
    flags: imageFlags(options, contents, xattrTable),
    idCount: ids.count,
    root: inodes.root,
    bytesUsed: at,
    idTable,
    xattrTable,
    inodeTable,
    directoryTable,
    fragmentTable,
    exportTable,
  };
  return { bytes, superblock, xattrSets: xattrs.count };
}

function imageFlags(
  options: ResolvedOptions,
  contents: Contents,
  xattrTable: number | undefined,
): number {
  let flags = FLAGS.deduplicated | (options.exports ? FLAGS.exportable : 0);
  if (contents.fragmentCount === 0) flags |= FLAGS.noFragments;
  if (xattrTable === undefined) flags |= FLAGS.noXattrs;
  if (options.compression === "none") {
    flags |= FLAGS.uncompressedInodes | FLAGS.uncompressedData | FLAGS.uncompressedFragments;
    flags |= FLAGS.uncompressedXattrs | FLAGS.uncompressedIds;
  }
  return flags;
}

function facts(
  plan: Plan,
  contents: Contents,
  { superblock, xattrSets }: Tables,
  options: ResolvedOptions,
): ImageFacts {
  return {
    bytes: superblock.bytesUsed,
    paddedBytes: padded(superblock.bytesUsed),
    compression: options.compression,
    level: options.level,
    blockSize: options.blockSize,
    mtime: superblock.mtime,
    inodes: superblock.inodeCount,
    directories: plan.directories.length,
    files: plan.files.length,
    contentBytes: contents.contentBytes,
    blocks: contents.blocks,
    fragments: contents.fragmentCount,
    duplicates: contents.duplicates,
    unread: contents.unread,
    sparseBytes: contents.sparseBytes,
    ids: superblock.idCount,
    xattrSets,
  };
}

function padded(bytes: number): number {
  return Math.ceil(bytes / IMAGE_ALIGNMENT) * IMAGE_ALIGNMENT;
}

/** Appends the tables behind the blocks; small pieces are joined before they are written. */
class TableOutput {
  private static readonly batchSize = 1 << 20;
  private readonly place: Omit<ContentsPlace, "dataOffset">;
  private end: number;
  private batch: Uint8Array[] = [];
  private batched = 0;

  /** @param end where to go on, bytes from the superblock */
  constructor(place: Omit<ContentsPlace, "dataOffset">, end: number) {
    this.place = place;
    this.end = end;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.batch.push(bytes);
    this.batched += bytes.length;
    if (this.batched >= TableOutput.batchSize) await this.flush();
  }

  async pad(): Promise<void> {
    const end = this.end + this.batched;
    await this.append(Buffer.alloc(padded(end) - end));
    await this.flush();
  }

  async writeStart(bytes: Uint8Array): Promise<void> {
    await this.write(bytes, 0);
  }

  private async flush(): Promise<void> {
    await this.write(Buffer.concat(this.batch), this.end);
    this.end += this.batched;
    this.batch = [];
    this.batched = 0;
  }

  private async write(bytes: Uint8Array, at: number): Promise<void> {
    const { fd, imageOffset, shown } = this.place;
    try {
      await writeAt(fd, bytes, imageOffset + at);
    } catch (cause) {
      throw errors.outputFailed(shown, "writing", cause);
    }
  }
}
