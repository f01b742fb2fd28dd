// Extended attributes: sets of key-value pairs, equal sets stored once; inodes have an index into
// the table of sets.

import * as errors from "../errors.ts";
import type { Xattr } from "../tree/node.ts";
import { bytesOf, displayPath } from "../tree/path.ts";
import { type Compress, MetadataWriter, metadataReference } from "./metadata.ts";
import { encodeOffsets } from "./table.ts";

/** In an inode: no extended attributes. */
export const NO_XATTRS = 0xffffffff;

const PREFIXES = ["user.", "trusted.", "security."];

const HEADER_SIZE = 16;
const MAX_VALUE = 65536; // XATTR_SIZE_MAX of the kernel

interface XattrSet {
  count: number;
  bytes: Buffer;
}

function encodePair(xattr: Xattr, path: string): Buffer {
  const type = PREFIXES.findIndex((prefix) => xattr.name.startsWith(prefix));
  const suffix = bytesOf(xattr.name.slice(PREFIXES[type]?.length ?? 0));
  if (type < 0 || suffix.length === 0 || suffix.length > 255) {
    const what = `squashfs cannot store the extended attribute ${displayPath(xattr.name)}`;
    throw errors.imageLimit(displayPath(path), what);
  }
  if (xattr.value.length > MAX_VALUE) {
    const what = `the extended attribute ${displayPath(xattr.name)} has ${xattr.value.length} bytes, the limit is ${MAX_VALUE}`;
    throw errors.imageLimit(displayPath(path), what);
  }
  const head = Buffer.alloc(4);
  head.writeUInt16LE(type, 0);
  head.writeUInt16LE(suffix.length, 2);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(xattr.value.length);
  return Buffer.concat([head, suffix, size, xattr.value]);
}

export class XattrTable {
  private readonly sets = new Map<string, number>();
  private readonly list: XattrSet[] = [];

  /** Index of a set, NO_XATTRS for the empty one. `path` says whose they are, for messages. */
  index(xattrs: readonly Xattr[], path: () => string): number {
    if (xattrs.length === 0) return NO_XATTRS;
    // By name, because the order in which a file system lists them means nothing.
    const sorted = [...xattrs].sort((a, b) => (a.name < b.name ? -1 : 1));
    const bytes = Buffer.concat(sorted.map((xattr) => encodePair(xattr, path())));
    const key = bytes.toString("latin1");
    let index = this.sets.get(key);
    if (index === undefined) {
      index = this.list.length;
      this.sets.set(key, index);
      this.list.push({ count: sorted.length, bytes });
    }
    return index;
  }

  get count(): number {
    return this.list.length;
  }

  /**
   * Pairs, then sets, then the table's header and the offsets of the sets' blocks.
   *
   * @param at offset from the start of the image at which it will stand
   * @returns `start`: where the header is, which is what the superblock names
   */
  encode(at: number, compress: Compress): { bytes: Uint8Array[]; size: number; start: number } {
    const pairs = new MetadataWriter(compress);
    const sets = new MetadataWriter(compress);
    for (const set of this.list) {
      const entry = Buffer.alloc(16);
      entry.writeBigUInt64LE(metadataReference(pairs.position), 0);
      entry.writeUInt32LE(set.count, 8);
      entry.writeUInt32LE(set.bytes.length, 12);
      pairs.append(set.bytes);
      sets.append(entry);
    }
    const values = pairs.finish();
    const table = sets.finish();
    const header = Buffer.alloc(HEADER_SIZE);
    header.writeBigUInt64LE(BigInt(at), 0);
    header.writeUInt32LE(this.list.length, 8);
    const offsets = encodeOffsets(table.starts, at + values.size);
    return {
      bytes: [...values.bytes, ...table.bytes, header, offsets],
      size: values.size + table.size + header.length + offsets.length,
      start: at + values.size + table.size,
    };
  }
}
