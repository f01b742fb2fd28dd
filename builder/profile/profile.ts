/**
 * What a start reads: files and places in them, in the order of use. A profile is of paths and offsets, which
 * outlive the image that it was taken from; squashfs images number neither alike.
 */

/** A part of a file: bytes from `start` up to, and without, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A file, or parts of it. A path may have several rules: what is read later stands in a later one. */
export interface ProfileRule {
  /** From the root of the image, without a leading slash. Byte string. */
  readonly path: string;
  /** In order; undefined is the whole file. Whatever lies behind a file's end counts for nothing. */
  readonly ranges?: readonly ByteRange[] | undefined;
}

/** In the order of use. */
export type Profile = readonly ProfileRule[];
