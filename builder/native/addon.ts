// The native addon as TypeScript sees it. Arguments are checked before they come here: the C++ side
// copies them and trusts them.

import { createRequire } from "node:module";
import { getSystemErrorMap } from "node:util";
import * as errors from "../errors.ts";
import { type addonFailures, addonNone, addonRows } from "../generated/spec.ts";
import { addonPath } from "../host/paths.ts";
import type { Change } from "../tree/node.ts";
import { displayPath } from "../tree/path.ts";

/** Columns of a row of `ScannedDirectory.status`. */
export const STATUS = addonRows.status;

/** One directory. Row 0 is the directory itself; the order of the others is the file system's. */
export interface ScannedDirectory {
  names: string[];
  /** Rows of STATUS. */
  status: Float64Array;
  /** Rows of IDENTITY. */
  identities: BigInt64Array;
  /** By row: targets of symbolic links, byte strings. */
  targets: Record<number, string>;
  /** By row, where there are any. */
  xattrs: Record<number, { name: string; value: Uint8Array }[]>;
  /** By row: what could not be read. The other columns of such a row say nothing. */
  failures: Record<number, NativeFailure>;
}

/** What the addon throws and rejects with. */
interface NativeFailure extends Error {
  kind: (typeof addonFailures)[number];
  /** 0 where no system call failed. */
  errno: number;
  /** The system call, or how the file changed. */
  step: string;
  /** Byte string; empty when it is about the output. */
  path: string;
}

export interface NativeCompression {
  codec: "zstd" | "xz" | "gzip" | "lz4" | "none";
  /** 0 for "none". */
  level: number;
  /** Bits of the format; 0: none. */
  variants: number;
  /** Of xz, bytes. */
  dictionary: number;
  /** 0: as the image says of itself; else another number for each other way, 1..255. */
  tag: number;
  /** Whether blocks are passed over that are compressed already. */
  probes: boolean;
}

/** Columns of a row of `ScannedDirectory.identities` and of `ContentsJob.identities`. */
export const IDENTITY = addonRows.identity;

/** Ends of all files, those of files smaller than a block, or none. */
export type Fragments = "all" | "small" | "none";

/** Files of compressed blocks (native/block_store.h). Paths are byte strings. */
export interface BlockStore {
  /** Names how blocks are compressed. */
  key: string;
  /** To be read. What is taken from a `folded` one goes into the new one too. */
  kept: { path: string; folded: boolean }[];
  /** To be written; must not exist. "": nothing is. */
  make: string;
  /** Of what is written, bytes. */
  limit: number;
}

/** Files that say what images had of their files (native/file_record.h). Paths are byte strings. */
export interface FileRecords {
  /** As that of the store. */
  key: string;
  /** To be read, the likeliest first. */
  kept: string[];
  /** To be written; must not exist. */
  make: string;
}

export interface ContentsJob {
  /** The first is that of the image. All have its codec, or none. */
  compressions: NativeCompression[];
  /** By index of a file: index in `compressions`. */
  chosen: Uint8Array;
  /**
   * What is stored as it is, whatever `chosen` says: pairs of one of the first `ahead` files and the number of a
   * block of it, or of its end; and the index in `compressions` for that.
   */
  stored: { compression: number; blocks: Uint32Array };
  /** Which ends of files share blocks; the others have one of their own. */
  fragments: Fragments;
  /** Whether the files stay in the order in which they are, or those that resemble each other share fragments. */
  order: "directory" | "similarity";
  /** So many of the first files stay where they are in any case. */
  ahead: number;
  /** Bytes. */
  blockSize: number;
  threads: number;
  fd: number;
  /** Of the superblock, bytes from the start of the file. */
  imageOffset: number;
  /** Of the first data block, bytes from `imageOffset`. */
  dataOffset: number;
  /** What stands before names, byte strings. */
  folders: string[];
  /** Byte strings, in the order in which the contents are laid out. */
  names: string[];
  /** By index of a file: index in `folders`. */
  folderOf: Uint32Array;
  /** Tables of rows of IDENTITY. They are not copied, and must not change until the job has ended. */
  identities: BigInt64Array[];
  /** By index of a file: index in `identities`, and the row there; NONE of one in memory. */
  tableOf: Uint32Array;
  rowOf: Uint32Array;
  /** Rows of `addonRows.part`, of files whose contents are others than all that is in the file on disk. */
  parts: Float64Array;
  /** By index: contents that are in memory. */
  memory: Record<number, Uint8Array>;
  /** By index: how contents differ from their files. */
  changes: Record<number, Change>;
  store: BlockStore | undefined;
  /** With a store alone. */
  record: FileRecords | undefined;
}

/** Columns of a row of `WrittenContents.files`. */
export const WRITTEN = addonRows.written;

/** Columns of a row of `WrittenContents.fragments`. */
export const FRAGMENT = addonRows.fragment;

/** In the columns fragment and duplicateOf: none. */
export const NONE = addonNone;

export interface WrittenContents {
  files: Float64Array;
  /** Bytes on disk, bit 24 set when stored uncompressed, 0 for a hole. */
  blockSizes: Uint32Array;
  /** Rows of FRAGMENT. */
  fragments: Float64Array;
  /** Data and fragment blocks in the image. */
  blocks: number;
  /** Blocks in the file that `BlockStore.make` names; 0: there is none. */
  keptBlocks: number;
  /** By index in `BlockStore.kept`: whether a block was taken from it. */
  usedFiles: boolean[];
  /** Files that were not read, being as an earlier image had them. */
  unread: number;
  /** Whether there is a file now that `FileRecords.make` names. */
  isRecorded: boolean;
  /** Index in `FileRecords.kept`, or NONE: which one was used. */
  usedRecord: number;
  /** Whether that one is of no more use beside the new one. */
  isReplaced: boolean;
  /** Bytes from the superblock to the end of the last block. */
  end: number;
}

/** What a piece of a compressed stream has become. */
interface DecodedStep {
  /** At most 256 KiB. */
  output: Buffer;
  /** Bytes of the input that are used up. */
  read: number;
  /** Whether the stream may end here. */
  atEnd: boolean;
  /** Why it cannot be decoded; "": it can. */
  problem: string;
}

export interface ContentsWriter {
  promise: Promise<WrittenContents>;
  progress(): { bytes: number; files: number };
  /** Makes `promise` reject with kind "aborted" soon. */
  abort(): void;
}

/** What functions of NativeImage throw and reject with. */
export interface NativeImageFailure extends Error {
  /** Its class, as runtime/squashfs has it; "" where `errno` says what failed at the destination. */
  imageError: "" | "corrupt" | "unreadable" | "truncated" | "missing" | "unsupported" | "memory";
  errno: number;
  /** Which place of the image is at fault; may be empty. */
  fault: string;
  /** In the image, byte string; may be empty. */
  path: string;
}

/** What stops a job: `Addon.cancel`. */
export type Cancellation = object & { readonly cancellation: never };

export interface NativeEntry {
  path: string;
  /** Where the inode stands in the image. */
  ref: number;
  /** enum sqfs_type, basic. */
  type: number;
  mode: number;
  uid: number;
  gid: number;
  mtime: number;
  inode: number;
  links: number;
  size: number;
  rdev: number;
  target: string;
  /** Which of the sets that this walk has handed out so far. */
  xattrs?: number;
}

/** Some entries of a walk over an image. */
interface NativeWalkPart {
  /** None at the end. */
  entries: NativeEntry[];
  /** Sets of extended attributes that are new. */
  attributes: { name: string; value: Uint8Array }[][];
}

/** What the superblock says. */
export interface SuperblockFacts {
  /** Name of the codec. */
  compression: string;
  /** Bytes. */
  blockSize: number;
  /** Bytes without padding. */
  bytes: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Files of every type, folders too, each counted once. */
  inodes: number;
  /** Blocks that the ends of several files share. */
  fragments: number;
  /** Different owners and groups. */
  ids: number;
  /** Whether it has the table by which NFS finds files. */
  exportable: boolean;
  /** Whether it may hold extended attributes. */
  xattrs: boolean;
}

export interface NativeImage {
  facts: SuperblockFacts;
  /** Begins a walk: the function returns at most `count` entries, parents first. */
  walk(): (count: number, cancellation: Cancellation) => Promise<NativeWalkPart>;
  /** Fills `bytes` from a file. @returns how many; fewer only at its end */
  read(
    ref: number,
    position: number,
    bytes: Uint8Array,
    cancellation: Cancellation,
  ): Promise<number>;
  /**
   * @param directory byte string
   * @param options `keep`: bits by the place in `extractKinds`; `paths`: byte strings, only these and what
   *   is in them, and the directories that lead there; none: all
   * @returns what was left out, by the places in `extractCounts`
   */
  extract(
    directory: string,
    options: { keep: number; xattrs: boolean; paths: readonly string[] },
    cancellation: Cancellation,
  ): Promise<{ entries: number; bytes: number; leftOut: number[] }>;
  /** What was started before goes on to its end. */
  close(): void;
}

/** Blocks of one image that is not written yet (native/early_blocks.h). */
export interface NativeEarlyBlocks {
  /** Copies a block, or passes it over. */
  add(bytes: Uint8Array): void;
  /** Ends the work. @returns how many blocks are in the file; 0: there is none */
  finish(): Promise<number>;
}

export interface Addon {
  cancellation(): Cancellation;
  /** Makes the jobs that were started with it reject with kind "aborted" soon. */
  cancel(cancellation: Cancellation): void;
  /** Cancels all jobs, later ones too. @returns whether none is at work any more, within `patience` ms */
  cancelAll(patience: number): boolean;
  /** Throws NativeImageFailure. The descriptor is borrowed until `close`. */
  openImage(fd: number, offset: number): NativeImage;
  /** Of extended attributes only those of user. when `userXattrs`. Rejects with NativeFailure. */
  scanDirectory(
    path: string,
    userXattrs: boolean,
    cancellation: Cancellation,
  ): Promise<ScannedDirectory>;
  /** Starts threads that compress what is added, until `finish`. */
  earlyBlocks(
    job: { store: BlockStore; compression: NativeCompression; blockSize: number; threads: number },
    cancellation: Cancellation,
  ): NativeEarlyBlocks;
  writeContents(job: ContentsJob): ContentsWriter;
  /** flock(2), LOCK_EX | LOCK_NB: until the descriptor is closed. @returns 0 or an errno */
  tryLock(fd: number): number;
  /** umount2(2), MNT_DETACH when `lazy`. @returns 0 or an errno */
  unmount(path: string, lazy: boolean): number;
  /** What whoever attached a loop device called it; "" when that cannot be read. */
  loopLabel(device: string): string;
  /** Of a stream: takes its pieces, the last one perhaps empty, and what it did not read once more. */
  createStreamDecoder(codec: "zstd" | "xz"): (input: Uint8Array, last: boolean) => DecodedStep;
  /** The function compresses one block; null where the result would not be smaller. */
  createCompressor(compression: NativeCompression): (bytes: Uint8Array) => Buffer | null;
  /** The same on a thread. `bytes` must stay as they are until it is done. */
  compressBlock(
    compression: NativeCompression,
    bytes: Uint8Array,
    cancellation: Cancellation,
  ): Promise<Buffer | null>;
}

let loaded: Addon | undefined;

/** Loads the addon once. Throws E_ADDON where it is missing or made for another machine. */
export function addon(): Addon {
  if (loaded === undefined) {
    const file = addonPath();
    try {
      loaded = createRequire(import.meta.url)(file) as Addon;
    } catch (cause) {
      throw errors.addon(file, cause);
    }
  }
  return loaded;
}

/**
 * Does native work that an aborted signal stops.
 *
 * @throws the signal's reason, and what `work` throws
 */
export async function cancellable<T>(
  signal: AbortSignal | undefined,
  work: (cancellation: Cancellation) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const cancellation = addon().cancellation();
  const abort = () => addon().cancel(cancellation);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await work(cancellation);
  } catch (thrown) {
    signal?.throwIfAborted();
    throw thrown;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * Stops all native work because the process is about to end, and waits until nothing is written any
 * more. Synchronous, for signal handlers. A thread that waits for a disk that does not answer is not
 * waited for longer than `patience`, ms.
 */
export function cancelJobs(patience: number): void {
  loaded?.cancelAll(patience);
}

/** The error a person gets for a failure of the addon. `output` names the file being written. */
export function fromNative(thrown: unknown, output?: string): unknown {
  if (!(thrown instanceof Error) || !("kind" in thrown)) return thrown;
  const failure = thrown as NativeFailure;
  const path = displayPath(failure.path);
  switch (failure.kind) {
    case "read":
      return errors.fileUnreadable(path, withCode(failure));
    case "changed":
      return errors.fileChanged(path, failure.step);
    case "write":
      return errors.outputFailed(output ?? "the image", "writing", withCode(failure));
    case "memory":
      return errors.outOfMemory(`for ${failure.step}`);
    default:
      return errors.internal(failure);
  }
}

/** An error with the name of `errno` as its code. */
export function errnoError(errno: number): Error {
  return withCode(Object.assign(new Error(`errno ${errno}`), { errno }));
}

/** The failure with errno's name as its `code`, as errors of node:fs have it. */
export function withCode<T extends Error & { errno: number }>(failure: T): T {
  const [name] = getSystemErrorMap().get(-failure.errno) ?? [];
  return Object.assign(failure, { code: name ?? errors.errnoName(failure.errno) });
}
