/** What a caller chooses about an image, wherever it goes. */

import { cacheFolder } from "../host/cache-folders.ts";
import type { LevelFor } from "../squashfs/per-path.ts";
import type {
  Compression,
  FileOrder,
  Progress,
  Variant,
  WriteOptions,
} from "../squashfs/squashfs-options.ts";
import { LEVELS } from "../squashfs/squashfs-options.ts";
import type { TreeEdits } from "../tree/edits.ts";

/** Choices about an image. */
export interface ImageChoices extends TreeEdits {
  /** Codec of the image. Default "zstd". */
  compression?: Compression | undefined;
  /**
   * Level of the codec: zstd 1..22, default 15; xz 0..9, default 6; gzip 1..9, default 9; lz4 1..12,
   * default 1, and from 2 on lz4hc.
   */
  level?: number | undefined;
  /**
   * BCJ filters of xz or strategies of gzip: each block is compressed with all of them, and the smallest
   * result kept. Default: none.
   */
  variants?: readonly Variant[] | undefined;
  /** Bytes of a block: a power of two, 4096..1048576. Default 131072. */
  blockSize?: number | undefined;
  /** Globs of paths to leave out, relative to the input. */
  exclude?: readonly string[] | undefined;
  /** Files of more to leave out, with the rules of .gitignore, as a `.bundleignore` of the input has them. */
  excludeFrom?: readonly string[] | undefined;
  /** Whether files keep their times. Default false: one time for all files. */
  keepMtimes?: boolean | undefined;
  /** Whether files keep their owners. Default false: all are 0:0, or `owner`. */
  keepOwners?: boolean | undefined;
  /** `UID:GID`, whom all files belong to. Default "0:0". */
  owner?: string | undefined;
  /** Whether extended attributes are packed. Default true. */
  xattrs?: boolean | undefined;
  /** Globs of files of the image that are stored as they are. */
  store?: readonly string[] | undefined;
  /** `GLOB=CODEC:LEVEL`: another level for files of the image; the codec is that of the image. The last that matches counts. */
  compress?: readonly string[] | undefined;
  /** Whether small files and ends of files share blocks. Default true. */
  fragments?: boolean | undefined;
  /** Whether ends of files larger than a block share blocks, too. Default true. */
  tailPacking?: boolean | undefined;
  /** Files that share blocks: those of a folder, or those that resemble each other. Default "directory". */
  order?: FileOrder | undefined;
  /** Whether the image has the table that leads from numbers to files, for file handles and start lists. Default true. */
  exports?: boolean | undefined;
  /** Threads that read and compress, 1..256. Default: the processors that may be used. */
  threads?: number | undefined;
  /** Whether compressed blocks are taken from the user's cache and kept there. Default true. */
  cache?: boolean | undefined;
  /** Whether files are read again that an earlier build had and that seem unchanged. Default false. */
  paranoid?: boolean | undefined;
  /** Is called a few times a second, and once at the end. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Ends the work; nothing is left behind. */
  signal?: AbortSignal | undefined;
}

/** The choices as the image's writer takes them. */
export function imageOptions(choices: ImageChoices): WriteOptions {
  const { compression, level, variants, blockSize, threads, xattrs, onProgress, signal } = choices;
  return {
    ...(compression !== undefined && { compression }),
    ...(level !== undefined && { level }),
    ...(variants !== undefined && { variants }),
    ...(blockSize !== undefined && { blockSize }),
    ...(threads !== undefined && { threads }),
    ...(choices.keepMtimes && { mtime: "keep" as const }),
    ...(choices.owner !== undefined && { owners: ownerOf(choices.owner) }),
    ...(choices.keepOwners && { owners: "keep" as const }),
    ...(xattrs !== undefined && { xattrs }),
    ...(choices.store && { store: choices.store }),
    ...(choices.compress && { compress: choices.compress.map(levelFor) }),
    ...(choices.tailPacking === false && { fragments: "small" as const }),
    ...(choices.fragments === false && { fragments: "none" as const }),
    ...(choices.order !== undefined && { order: choices.order }),
    ...(choices.exports === false && { exports: false }),
    ...(choices.cache !== false && {
      blockCache: cacheFolder("blocks"),
      fileRecords: cacheFolder("files"),
    }),
    ...(choices.paranoid && { paranoid: true }),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  };
}

/** What `compress` says of files. A codec without a level is its default level. */
export function levelFor(text: string): LevelFor & { codec: string } {
  const at = text.lastIndexOf("=");
  const [codec = "", level] = text.slice(at + 1).split(":");
  const usual = (LEVELS as Readonly<Record<string, { default: number }>>)[codec]?.default ?? 0;
  return { glob: text.slice(0, at), codec, level: level === undefined ? usual : Number(level) };
}

function ownerOf(text: string): { uid: number; gid: number } {
  const [uid = 0, gid = uid] = text.split(":").map(Number);
  return { uid, gid };
}
