// Inodes. Each kind has a basic form and an extended one, which is used only where the basic one
// has no room for what must be said.
// Format: https://dr-emann.github.io/squashfs/squashfs.html#_inode_table

import { squashfsFormat } from "../generated/spec.ts";
import { NONE } from "../native/addon.ts";
import type { DeviceNode, Node } from "../tree/node.ts";
import { bytesOf } from "../tree/path.ts";
import type { Listing } from "./image-listing.ts";
import { NO_XATTRS } from "./xattrs.ts";

/** Types as a directory entry and a basic inode have them; an extended inode has 7 more. */
export const INODE_TYPES = squashfsFormat.inodeTypes satisfies Record<Node["kind"], number>;

const EXTENDED = squashfsFormat.extendedType;
const HEADER_SIZE = 16;
const MAX_U16 = 0xffff;
const MAX_U32 = 0xffffffff;

/** What every inode starts with, and what decides about its form. */
export interface InodeHeader {
  /** Permission bits. */
  mode: number;
  /** Indexes into the id table. */
  uid: number;
  gid: number;
  /** Seconds since 1970, 0..2^32-1: the kernel reads it unsigned. */
  mtime: number;
  number: number;
  links: number;
  /** Index into the table of sets, or NO_XATTRS. */
  xattrs: number;
}

/** Where the contents of a file are. */
export interface FileLayout {
  /** Bytes. */
  size: number;
  /** Of the first block, bytes from the start of the image. */
  start: number;
  /** Size words of the blocks. */
  blocks: Uint32Array;
  /** Bytes that are in no block because they are zero. */
  sparse: number;
  /** Index, or NONE. */
  fragment: number;
  /** In the uncompressed fragment. */
  fragmentOffset: number;
}

function inode(type: number, header: InodeHeader, bodySize: number): Buffer {
  const bytes = Buffer.alloc(HEADER_SIZE + bodySize);
  bytes.writeUInt16LE(type, 0);
  bytes.writeUInt16LE(header.mode, 2);
  bytes.writeUInt16LE(header.uid, 4);
  bytes.writeUInt16LE(header.gid, 6);
  bytes.writeUInt32LE(header.mtime, 8);
  bytes.writeUInt32LE(header.number, 12);
  return bytes;
}

/** @param parent inode number */
export function encodeDirectory(header: InodeHeader, listing: Listing, parent: number): Buffer {
  const { position, size, index } = listing;
  if (size <= MAX_U16 && index.length === 0 && header.xattrs === NO_XATTRS) {
    const bytes = inode(INODE_TYPES.directory, header, 16);
    bytes.writeUInt32LE(position.block, 16);
    bytes.writeUInt32LE(header.links, 20);
    bytes.writeUInt16LE(size, 24);
    bytes.writeUInt16LE(position.offset, 26);
    bytes.writeUInt32LE(parent, 28);
    return bytes;
  }
  const bytes = inode(INODE_TYPES.directory + EXTENDED, header, 24);
  bytes.writeUInt32LE(header.links, 16);
  bytes.writeUInt32LE(size, 20);
  bytes.writeUInt32LE(position.block, 24);
  bytes.writeUInt32LE(parent, 28);
  bytes.writeUInt16LE(index.length, 32);
  bytes.writeUInt16LE(position.offset, 34);
  bytes.writeUInt32LE(header.xattrs, 36);
  const entries = index.map((entry) => {
    const fixed = Buffer.alloc(12);
    fixed.writeUInt32LE(entry.listingOffset, 0);
    fixed.writeUInt32LE(entry.block, 4);
    fixed.writeUInt32LE(entry.name.length - 1, 8);
    return Buffer.concat([fixed, bytesOf(entry.name)]);
  });
  return Buffer.concat([bytes, ...entries]);
}

export function encodeFile(header: InodeHeader, file: FileLayout): Buffer {
  const basic =
    file.start <= MAX_U32 &&
    file.size <= MAX_U32 &&
    file.sparse === 0 &&
    header.links === 1 &&
    header.xattrs === NO_XATTRS;
  const fixed = basic ? 16 : 40;
  const type = INODE_TYPES.file + (basic ? 0 : EXTENDED);
  const bytes = inode(type, header, fixed + file.blocks.length * 4);
  const fragmentOffset = file.fragment === NONE ? 0 : file.fragmentOffset;
  if (basic) {
    bytes.writeUInt32LE(file.start, 16);
    bytes.writeUInt32LE(file.fragment, 20);
    bytes.writeUInt32LE(fragmentOffset, 24);
    bytes.writeUInt32LE(file.size, 28);
  } else {
    bytes.writeBigUInt64LE(BigInt(file.start), 16);
    bytes.writeBigUInt64LE(BigInt(file.size), 24);
    bytes.writeBigUInt64LE(BigInt(file.sparse), 32);
    bytes.writeUInt32LE(header.links, 40);
    bytes.writeUInt32LE(file.fragment, 44);
    bytes.writeUInt32LE(fragmentOffset, 48);
    bytes.writeUInt32LE(header.xattrs, 52);
  }
  let at = HEADER_SIZE + fixed;
  for (const word of file.blocks) at = bytes.writeUInt32LE(word, at);
  return bytes;
}

export function encodeSymlink(header: InodeHeader, target: string): Buffer {
  const text = bytesOf(target);
  const extended = header.xattrs !== NO_XATTRS;
  const type = INODE_TYPES.symlink + (extended ? EXTENDED : 0);
  const bytes = inode(type, header, 8 + text.length + (extended ? 4 : 0));
  bytes.writeUInt32LE(header.links, 16);
  bytes.writeUInt32LE(text.length, 20);
  bytes.set(text, 24);
  if (extended) bytes.writeUInt32LE(header.xattrs, 24 + text.length);
  return bytes;
}

export function encodeDevice(header: InodeHeader, device: DeviceNode): Buffer {
  const extended = header.xattrs !== NO_XATTRS;
  const type = INODE_TYPES[device.kind] + (extended ? EXTENDED : 0);
  const bytes = inode(type, header, 8 + (extended ? 4 : 0));
  bytes.writeUInt32LE(header.links, 16);
  bytes.writeUInt32LE(encodeDeviceNumber(device), 20);
  if (extended) bytes.writeUInt32LE(header.xattrs, 24);
  return bytes;
}

export function encodeSpecial(header: InodeHeader, kind: "fifo" | "socket"): Buffer {
  const extended = header.xattrs !== NO_XATTRS;
  const type = INODE_TYPES[kind] + (extended ? EXTENDED : 0);
  const bytes = inode(type, header, 4 + (extended ? 4 : 0));
  bytes.writeUInt32LE(header.links, 16);
  if (extended) bytes.writeUInt32LE(header.xattrs, 20);
  return bytes;
}

/** The kernel's new_encode_dev: 8 low bits of the minor, 12 of the major, the minor's other 12. */
function encodeDeviceNumber({ major, minor }: DeviceNode): number {
  return ((minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}
