// What a caller chooses about an image, and the defaults.

import { optionValue } from "../errors.ts";
import {
  compressionLevels,
  type configKeys,
  environment,
  squashfsFormat,
} from "../generated/spec.ts";
import type { Fragments } from "../native/addon.ts";
import type { Node } from "../tree/node.ts";
import type { PerPath } from "./per-path.ts";

/** Codecs of an image. */
export type Compression = (typeof configKeys.properties.compression.enum)[number];

/** Ways besides the usual one in which a codec may compress a block: BCJ filters of xz, strategies of gzip. */
export type Variant =
  | keyof typeof squashfsFormat.xzFilters
  | keyof typeof squashfsFormat.gzipStrategies;

/** Which files share blocks: those of a folder, or those that resemble each other. */
export type FileOrder = (typeof configKeys.properties.order.enum)[number];

/** How far the packing is. */
export interface Progress {
  /** Bytes of file contents that are in the image or found to be duplicates. */
  bytes: number;
  /** Bytes of all file contents. */
  totalBytes: number;
  /** Files that are done. */
  files: number;
  /** All files. */
  totalFiles: number;
}

export interface WriteOptions extends PerPath {
  /** Default "zstd". */
  compression?: Compression;
  /**
   * zstd 1..22, default 15; xz 0..9, default 6; gzip 1..9, default 9; lz4 1..12, default 1, and from 2 on
   * lz4hc; not for "none".
   */
  level?: number;
  /** Each block is compressed in all of these ways, and the smallest result kept. Of xz or gzip. */
  variants?: readonly Variant[];
  /** Bytes, a power of two, 4096..1048576. Default 131072. */
  blockSize?: number;
  /**
   * Seconds since 1970 for every inode and the image, or "keep" for what the tree says (the image
   * itself then gets the newest). Default: SOURCE_DATE_EPOCH, else 1980-01-01T00:00:00Z.
   */
  mtime?: number | "keep";
  /** Owner of every inode, or "keep". Default 0:0. */
  owners?: { uid: number; gid: number } | "keep";
  /** Whether extended attributes of the tree are stored. Default true. */
  xattrs?: boolean;
  /** Which ends of files share blocks, that of each file or that of files smaller than a block. Default "all". */
  fragments?: Fragments;
  /**
   * Files whose ends share blocks: those of a folder, or those that resemble each other, for which all small
   * files are read beforehand. Default "directory".
   */
  order?: FileOrder;
  /** Whether the image has the table that leads from numbers to files. Default true. */
  exports?: boolean;
  /** Files whose contents come first, in this order. */
  first?: readonly Node[];
  /**
   * Blocks that are stored as they are, of files that are among the `first`: numbers of blocks of the file, the
   * last of which may be its end. One codec, "none", has no others.
   */
  stored?: ReadonlyMap<Node, readonly number[]>;
  /** Threads that read and compress, 1..256. Default: the processors that may be used. */
  threads?: number;
  /**
   * Folder where compressed blocks are kept for the next image. The bytes of an image do not depend on
   * it. Default: none are kept.
   */
  blockCache?: string;
  /**
   * Folder where it is recorded which blocks files have, so that the next image with the same `blockCache`
   * reads only those that changed. Default: none.
   */
  fileRecords?: string;
  /** File of blocks that were made for this image already, with the same options (early-blocks.ts). */
  earlyBlocks?: string;
  /** Whether all files are read, whatever was recorded of them. Default false. */
  paranoid?: boolean;
  /** Called a few times a second, and once at the end. */
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** Where an image goes. With `fd`, nothing before `offset` (bytes, default 0) is touched. */
export type Destination = { fd: number; offset?: number } | { path: string };

/** What was written. */
export interface ImageFacts {
  /** Bytes of the image without padding (bytes_used of the superblock). */
  bytes: number;
  /** Bytes with padding, a multiple of 4096. */
  paddedBytes: number;
  /** Codec of the image. */
  compression: Compression;
  /** undefined for "none". */
  level: number | undefined;
  /** Bytes. */
  blockSize: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Files of every type, folders too, each counted once. */
  inodes: number;
  /** Folders, the root too. */
  directories: number;
  /** Regular files, a hard-linked one counted once. */
  files: number;
  /** Bytes of all regular files, a hard-linked one counted once. */
  contentBytes: number;
  /** Data blocks that were written. */
  blocks: number;
  /** Blocks that the ends of several files share. */
  fragments: number;
  /** Files whose contents were already in the image. */
  duplicates: number;
  /** Files that were not read, because an earlier build had them and they are unchanged. */
  unread: number;
  /** Bytes that blocks of zeros did not take. */
  sparseBytes: number;
  /** Different owners and groups. */
  ids: number;
  /** Different sets of extended attributes. */
  xattrSets: number;
}

/** 1980-01-01T00:00:00Z: zero looks like "no time" to some tools, and zip can not say less. */
const FIXED_MTIME = 315532800;

const MAX_U32 = 0xffffffff;

/** The time that all files get by default: SOURCE_DATE_EPOCH, else 1980-01-01. Seconds since 1970. */
export function defaultMtime(variables: NodeJS.ProcessEnv = process.env): number {
  const text = variables[environment.SOURCE_DATE_EPOCH];
  if (text === undefined || text === "") return FIXED_MTIME;
  const seconds = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= MAX_U32)) {
    throw optionValue(
      environment.SOURCE_DATE_EPOCH,
      `a number of seconds, 0..${MAX_U32}`,
      JSON.stringify(text),
    );
  }
  return seconds;
}

export interface ResolvedOptions {
  compression: Compression;
  level: number | undefined;
  /** As the format has them; 0: none. */
  variants: number;
  blockSize: number;
  mtime: number | "keep";
  owners: { uid: number; gid: number } | "keep";
  xattrs: boolean;
  fragments: Fragments;
  order: FileOrder;
  exports: boolean;
  threads: number;
}

/** Ranges and defaults of the compression levels. */
export const LEVELS = compressionLevels;

/** Bytes. */
export const DEFAULT_BLOCK_SIZE = 131072;

/** What a codec has of variants, by name. */
export function variantsOf(compression: Compression): Readonly<Record<string, number>> {
  if (compression === "xz") return squashfsFormat.xzFilters;
  return compression === "gzip" ? squashfsFormat.gzipStrategies : {};
}

/** More are of no use by default either. */
const MAX_THREADS = 256;

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw optionValue(name, `a whole number, ${min}..${max}`, String(value));
}

/**
 * Fills in the defaults. What a caller chooses was checked where it came in (config/validate.ts).
 *
 * @throws E_OPTION_VALUE for times and owners that have no place in an image
 */
export function resolveOptions(options: WriteOptions, processors: number): ResolvedOptions {
  const compression = options.compression ?? "zstd";
  const level = compression === "none" ? undefined : (options.level ?? LEVELS[compression].default);
  const mtime = options.mtime ?? defaultMtime();
  if (mtime !== "keep") checkInteger("mtime", mtime, 0, MAX_U32);
  const owners = options.owners ?? { uid: 0, gid: 0 };
  if (owners !== "keep") {
    checkInteger("uid", owners.uid, 0, MAX_U32);
    checkInteger("gid", owners.gid, 0, MAX_U32);
  }
  return {
    compression,
    level,
    variants: bitsOf(compression, options.variants ?? []),
    blockSize: options.blockSize ?? DEFAULT_BLOCK_SIZE,
    mtime,
    owners,
    xattrs: options.xattrs ?? true,
    fragments: options.fragments ?? "all",
    order: options.order ?? "directory",
    exports: options.exports ?? true,
    threads: options.threads ?? Math.min(processors, MAX_THREADS),
  };
}

function bitsOf(compression: Compression, names: readonly Variant[]): number {
  const known = variantsOf(compression);
  return names.reduce((bits, name) => bits | (known[name] ?? 0), 0);
}
