// Inode table and directory table, which are made together: a listing names the places of its
// inodes, a directory's inode names the place of its listing.

import type { Attributes, DirectoryNode } from "../tree/node.ts";
import type { IdTable } from "./ids.ts";
import { appendListing, type Listing } from "./image-listing.ts";
import {
  encodeDevice,
  encodeDirectory,
  encodeFile,
  encodeSpecial,
  encodeSymlink,
  type FileLayout,
  INODE_TYPES,
  type InodeHeader,
} from "./inodes.ts";
import {
  type Compress,
  type MetadataPosition,
  MetadataWriter,
  metadataReference,
} from "./metadata.ts";
import type { Plan } from "./plan.ts";
import type { ResolvedOptions } from "./squashfs-options.ts";
import { NO_XATTRS, type XattrTable } from "./xattrs.ts";

const MAX_U32 = 0xffffffff;

export interface InodeTables {
  inodes: { bytes: Uint8Array[]; size: number };
  directories: { bytes: Uint8Array[]; size: number };
  /** Entries of the export table: the inode references by inode number. */
  references: Buffer;
  root: bigint;
  /** The newest time in the image. */
  newest: number;
}

export interface InodeTablesInput {
  plan: Plan;
  /** Where the contents of a file are, by its number. */
  layout(number: number): FileLayout;
  ids: IdTable;
  xattrs: XattrTable;
  options: ResolvedOptions;
  compress: Compress;
}

export function encodeInodeTables(input: InodeTablesInput): InodeTables {
  return new InodeTableWriter(input).run();
}

class InodeTableWriter {
  private readonly input: InodeTablesInput;
  private readonly inodes: MetadataWriter;
  private readonly directories: MetadataWriter;
  /** By the numbers of inodes that are written. */
  private readonly positions: PositionColumns;
  private readonly listings = new Map<DirectoryNode, Listing>();
  private readonly references: Buffer;
  private newest = 0;

  constructor(input: InodeTablesInput) {
    this.input = input;
    this.inodes = new MetadataWriter(input.compress);
    this.directories = new MetadataWriter(input.compress);
    this.references = Buffer.alloc(input.plan.inodes.size * 8);
    this.positions = new PositionColumns(input.plan.inodes.size);
  }

  run(): InodeTables {
    const { directories, entries, inodes } = this.input.plan;
    for (const { node, first, end } of directories) {
      const parent = inodes.number(node) as number;
      const listed = Array.from({ length: end - first }, (_, i) => {
        const number = entries.number(first + i);
        return {
          name: entries.name(first + i),
          type: INODE_TYPES[inodes.node(number).kind],
          number,
          position: this.positions.get(number) ?? this.append(number, parent),
        };
      });
      this.listings.set(node, appendListing(this.directories, listed));
    }
    // The root's parent is an inode that does not exist, as in images of mksquashfs.
    const root = metadataReference(this.append(inodes.size, inodes.size + 1));
    return {
      inodes: this.inodes.finish(),
      directories: this.directories.finish(),
      references: this.references,
      root,
      newest: this.newest,
    };
  }

  private append(number: number, parent: number): MetadataPosition {
    const { position } = this.inodes;
    this.positions.set(number, position);
    this.references.writeBigUInt64LE(metadataReference(position), (number - 1) * 8);
    this.inodes.append(this.encode(number, parent));
    return position;
  }

  private encode(number: number, parent: number): Buffer {
    const node = this.input.plan.inodes.node(number);
    const header = this.header(number, node);
    switch (node.kind) {
      case "directory":
        return encodeDirectory(header, this.listings.get(node) as Listing, parent);
      case "file":
        return encodeFile(header, this.input.layout(number));
      case "symlink":
        return encodeSymlink(header, node.target);
      case "block-device":
      case "character-device":
        return encodeDevice(header, node);
      case "fifo":
      case "socket":
        return encodeSpecial(header, node.kind);
    }
  }

  private header(number: number, attributes: Attributes): InodeHeader {
    const { ids, xattrs, options, plan } = this.input;
    const owner = options.owners === "keep" ? attributes : options.owners;
    const mtime = options.mtime === "keep" ? attributes.mtime : options.mtime;
    // Times before 1970 and after 2106 have no place in 32 bits: the nearest that has.
    const seconds = Math.min(Math.max(Math.floor(mtime), 0), MAX_U32);
    this.newest = Math.max(this.newest, seconds);
    return {
      mode: attributes.mode & 0o7777,
      uid: ids.index(owner.uid),
      gid: ids.index(owner.gid),
      mtime: seconds,
      number,
      links: plan.inodes.links(number),
      xattrs: options.xattrs
        ? xattrs.index(attributes.xattrs, () => plan.inodes.path(number))
        : NO_XATTRS,
    };
  }
}

/** Positions by number, in columns. */
class PositionColumns {
  private readonly blocks: Float64Array;
  private readonly offsets: Uint16Array;

  constructor(count: number) {
    this.blocks = new Float64Array(count).fill(-1);
    this.offsets = new Uint16Array(count);
  }

  get(number: number): MetadataPosition | undefined {
    const block = this.blocks[number - 1] as number;
    return block < 0 ? undefined : { block, offset: this.offsets[number - 1] as number };
  }

  set(number: number, { block, offset }: MetadataPosition): void {
    this.blocks[number - 1] = block;
    this.offsets[number - 1] = offset;
  }
}
