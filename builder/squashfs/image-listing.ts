// The listing of one directory: runs of entries, each run behind a header, and for a large
// directory an index that lets the kernel skip to the run in which a name must be.
//
// Rules of the kernel (fs/squashfs/dir.c, namei.c): a run has at most 256 entries, whose inodes
// are in one metadata block, with numbers within 16 signed bits of the header's; the size in the
// inode counts 3 bytes for "." and ".."; entries have basic types; an index entry names the
// metadata block in which a header starts, and names are compared as bytes.

import { bytesOf } from "../tree/path.ts";
import { METADATA_SIZE, type MetadataPosition, type MetadataWriter } from "./metadata.ts";

export interface ListedEntry {
  name: string;
  /** One of INODE_TYPES. */
  type: number;
  /** Of the inode. */
  number: number;
  /** Of the inode, from the start of the inode table. */
  position: MetadataPosition;
}

interface IndexEntry {
  /** Of a header, bytes from the start of the listing. */
  listingOffset: number;
  /** Metadata block in which the header starts, from the start of the directory table. */
  block: number;
  /** First name behind the header. */
  name: string;
}

export interface Listing {
  position: MetadataPosition;
  /** As the inode has it: bytes of the listing, and 3. */
  size: number;
  /** Empty where looking through the whole listing is quick enough. */
  index: IndexEntry[];
}

const MAX_RUN = 256;
const HEADER_SIZE = 12;
const ENTRY_SIZE = 8;
const DOT_ENTRIES = 3;

/** Appends the listing of `entries`, which are in byte order of their names. */
export function appendListing(writer: MetadataWriter, entries: readonly ListedEntry[]): Listing {
  const position = writer.position;
  const index: IndexEntry[] = [];
  let size = 0;
  let indexed = 0; // metadata blocks of this listing that the index knows
  for (let from = 0; from < entries.length; ) {
    const first = entries[from] as ListedEntry;
    const block = Math.floor((position.offset + size) / METADATA_SIZE);
    if (block > indexed) {
      index.push({ listingOffset: size, block: writer.position.block, name: first.name });
      indexed = block;
    }
    const to = runEnd(entries, from, position.offset + size);
    const run = encodeRun(entries, from, to);
    writer.append(run);
    size += run.length;
    from = to;
  }
  // A listing of up to one block that happens to lie across two is not worth an extended inode.
  return { position, size: size + DOT_ENTRIES, index: size > METADATA_SIZE ? index : [] };
}

/**
 * Where the run that starts with entry `from` ends. `at` is the place of its header, in bytes from
 * the start of the metadata block where the listing starts. The run also ends where the next entry
 * would start in another block than the header, so that every block has a header to be indexed.
 */
function runEnd(entries: readonly ListedEntry[], from: number, at: number): number {
  const first = entries[from] as ListedEntry;
  const block = Math.floor(at / METADATA_SIZE);
  let end = at + HEADER_SIZE;
  let to = from;
  for (; to < entries.length && to - from < MAX_RUN; to++) {
    const entry = entries[to] as ListedEntry;
    const delta = entry.number - first.number;
    if (entry.position.block !== first.position.block) break;
    if (delta < -32768 || delta > 32767) break;
    if (to > from && Math.floor(end / METADATA_SIZE) !== block) break;
    end += ENTRY_SIZE + entry.name.length;
  }
  return to;
}

function encodeRun(entries: readonly ListedEntry[], from: number, to: number): Buffer {
  const first = entries[from] as ListedEntry;
  let size = HEADER_SIZE;
  for (let i = from; i < to; i++) size += ENTRY_SIZE + (entries[i] as ListedEntry).name.length;
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeUInt32LE(to - from - 1, 0);
  bytes.writeUInt32LE(first.position.block, 4);
  bytes.writeUInt32LE(first.number, 8);
  let at = HEADER_SIZE;
  for (let i = from; i < to; i++) {
    const entry = entries[i] as ListedEntry;
    bytes.writeUInt16LE(entry.position.offset, at);
    bytes.writeInt16LE(entry.number - first.number, at + 2);
    bytes.writeUInt16LE(entry.type, at + 4);
    bytes.writeUInt16LE(entry.name.length - 1, at + 6);
    bytes.set(bytesOf(entry.name), at + ENTRY_SIZE);
    at += ENTRY_SIZE + entry.name.length;
  }
  return bytes;
}
