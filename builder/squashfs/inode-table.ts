// Inode table and directory table, which are made together: a listing names the places of its
// inodes, a directory's inode names the place of its listing.

import type { Attributes, DirectoryNode, Node } from "../tree/node.ts";
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
import type { Plan, PlannedInode } from "./plan.ts";
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
  layouts: ReadonlyMap<Node, FileLayout>;
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
  private readonly positions = new Map<Node, MetadataPosition>();
  private readonly listings = new Map<DirectoryNode, Listing>();
  private readonly references: Buffer;
  private newest = 0;

  constructor(input: InodeTablesInput) {
    this.input = input;
    this.inodes = new MetadataWriter(input.compress);
    this.directories = new MetadataWriter(input.compress);
    this.references = Buffer.alloc(input.plan.inodes.size * 8);
  }

  run(): InodeTables {
    const { plan } = this.input;
    for (const directory of plan.directories) {
      const parent = this.number(directory.node);
      const listed = directory.entries.map(({ name, inode }) => ({
        name,
        type: INODE_TYPES[inode.node.kind],
        number: inode.number,
        position: this.positions.get(inode.node) ?? this.append(inode, parent),
      }));
      this.listings.set(directory.node, appendListing(this.directories, listed));
    }
    // The root's parent is an inode that does not exist, as in images of mksquashfs.
    const root = metadataReference(this.append(plan.root, plan.inodes.size + 1));
    return {
      inodes: this.inodes.finish(),
      directories: this.directories.finish(),
      references: this.references,
      root,
      newest: this.newest,
    };
  }

  private number(node: Node): number {
    return (this.input.plan.inodes.get(node) as PlannedInode).number;
  }

  private append(inode: PlannedInode, parent: number): MetadataPosition {
    const position = this.inodes.position;
    this.positions.set(inode.node, position);
    this.references.writeBigUInt64LE(metadataReference(position), (inode.number - 1) * 8);
    this.inodes.append(this.encode(inode, parent));
    return position;
  }

  private encode(inode: PlannedInode, parent: number): Buffer {
    const { node } = inode;
    const header = this.header(inode);
    switch (node.kind) {
      case "directory":
        return encodeDirectory(header, this.listings.get(node) as Listing, parent);
      case "file":
        return encodeFile(header, this.input.layouts.get(node) as FileLayout);
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

  private header(inode: PlannedInode): InodeHeader {
    const { ids, xattrs, options } = this.input;
    const attributes: Attributes = inode.node;
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
      number: inode.number,
      links: inode.links,
      xattrs: options.xattrs ? xattrs.index(attributes.xattrs, inode.path) : NO_XATTRS,
    };
  }
}
