/** What a caller chooses about an image, wherever it goes. */
import type { Compression, Progress, WriteOptions } from "../squashfs/squashfs-options.ts";

export interface ImageChoices {
  /** Default "zstd". */
  compression?: Compression | undefined;
  /** zstd 1..22, gzip 1..9; default 15 and 9. */
  level?: number | undefined;
  /** Bytes, a power of two, 4096..1048576. Default 131072. */
  blockSize?: number | undefined;
  /** Globs of paths to leave out, relative to the input. */
  exclude?: readonly string[] | undefined;
  /** Default false: one time for all files. */
  keepMtimes?: boolean | undefined;
  /** Default false: 0:0. */
  keepOwners?: boolean | undefined;
  /** Default true. */
  xattrs?: boolean | undefined;
  /** 1..256. Default: the processors that may be used. */
  threads?: number | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** The keys of `ImageChoices`, for the check that all keys are known. */
export const imageKeys: Record<keyof ImageChoices, true> = {
  compression: true,
  level: true,
  blockSize: true,
  exclude: true,
  keepMtimes: true,
  keepOwners: true,
  xattrs: true,
  threads: true,
  onProgress: true,
  signal: true,
};

/** The choices as the image's writer takes them; it checks their values. */
export function imageOptions(choices: ImageChoices): WriteOptions {
  const { compression, level, blockSize, threads, xattrs, onProgress, signal } = choices;
  return {
    ...(compression !== undefined && { compression }),
    ...(level !== undefined && { level }),
    ...(blockSize !== undefined && { blockSize }),
    ...(threads !== undefined && { threads }),
    ...(choices.keepMtimes && { mtime: "keep" as const }),
    ...(choices.keepOwners && { owners: "keep" as const }),
    ...(xattrs !== undefined && { xattrs }),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  };
}
