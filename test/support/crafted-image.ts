/**
 * Squashfs images made field by field, so that tables can claim what no tool writes: listings that
 * several directories share, more names than links, directories inside themselves. Nothing is
 * compressed.
 */

export interface CraftedInode {
  type: "directory" | "file" | "symlink";
  number: number;
  /** Default: 1. */
  links?: number;
  /** Of a directory: which listing it has; by default none, so that it is empty. */
  listing?: string;
  /** Of a directory: other places than those of its listing. */
  place?: { block: number; offset: number; size: number };
  /** Of a symbolic link. */
  target?: string;
  /** Index of a set of extended attributes. */
  xattr?: number;
}

export interface Crafted {
  inodes: Record<string, CraftedInode>;
  /** Names, ascending, and the inodes they are for. */
  listings: Record<string, readonly (readonly [string, string])[]>;
  /** Its inode. */
  root: string;
  /** What the superblock says; by default the largest number. */
  inodeCount?: number;
  /** Replaces the directory table. */
  directoryTable?: Buffer;
  /** Sets of extended attributes: places in the values (ref) and counts. */
  xattrs?: { values: Buffer; sets: { ref: number; count: number }[] };
}

const META = 8192;
const NONE = 0xffffffff;
const NO_TABLE = 0xffffffffffffffffn;
/** Of a directory's size, for "." and "..", which are not there. */
const LISTING_EXTRA = 3;
const TYPES = { directory: 1, file: 2, symlink: 3 };

/** Where a position of uncompressed metadata is, when blocks are stored. */
function metaPlace(position: number): { block: number; offset: number } {
  return { block: Math.floor(position / META) * (META + 2), offset: position % META };
}

function metaRef(position: number): bigint {
  const { block, offset } = metaPlace(position);
  return (BigInt(block) << 16n) | BigInt(offset);
}

/** Metadata as stored blocks. */
export function storedBlocks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += META) {
    const part = bytes.subarray(at, at + META);
    const header = Buffer.alloc(2);
    header.writeUInt16LE(0x8000 | part.length);
    parts.push(header, part);
  }
  return Buffer.concat(parts);
}

/** A table of such blocks that starts at `start`, and the index of their places behind them. */
function indexed(bytes: Buffer, start: number): { table: Buffer; index: number } {
  const blocks = storedBlocks(bytes);
  const count = Math.ceil(bytes.length / META);
  const places = Buffer.alloc(count * 8);
  for (let i = 0; i < count; i++) places.writeBigUInt64LE(BigInt(start + i * (META + 2)), i * 8);
  return { table: Buffer.concat([blocks, places]), index: start + blocks.length };
}

function sizeOf({ type, target = "" }: CraftedInode): number {
  if (type === "directory") return 40; // All are of the extended kinds.
  return type === "file" ? 56 : 28 + Buffer.byteLength(target);
}

/** Entries below as few headers as the format has for them. */
export function encodeListing(
  entries: readonly (readonly [string, string])[],
  where: ReadonlyMap<string, { position: number; inode: CraftedInode }>,
): Buffer {
  const parts: Buffer[] = [];
  let open: { header: Buffer; block: number; number: number; count: number } | undefined;
  for (const [name, key] of entries) {
    const found = where.get(key);
    if (found === undefined) throw new Error(`there is no inode ${key}`);
    const { block, offset } = metaPlace(found.position);
    const { number, type } = found.inode;
    if (open === undefined || open.block !== block || open.count === 256) {
      open = { header: Buffer.alloc(12), block, number, count: 0 };
      open.header.writeUInt32LE(block, 4);
      open.header.writeUInt32LE(number, 8);
      parts.push(open.header);
    }
    open.header.writeUInt32LE(open.count++, 0);
    const entry = Buffer.alloc(8);
    entry.writeUInt16LE(offset, 0);
    entry.writeInt16LE(number - open.number, 2);
    entry.writeUInt16LE(TYPES[type], 4);
    entry.writeUInt16LE(Buffer.byteLength(name) - 1, 6);
    parts.push(entry, Buffer.from(name));
  }
  return Buffer.concat(parts);
}

function encodeInode(inode: CraftedInode, listing: { start: number; size: number }): Buffer {
  const { type, number, links = 1, xattr = NONE, target = "" } = inode;
  const bytes = Buffer.alloc(sizeOf(inode));
  bytes.writeUInt16LE(TYPES[type] + 7, 0);
  bytes.writeUInt16LE(type === "directory" ? 0o755 : 0o644, 2);
  bytes.writeUInt32LE(number, 12);
  if (type === "directory") {
    const { block, offset } = inode.place ?? metaPlace(listing.start);
    bytes.writeUInt32LE(links, 16);
    bytes.writeUInt32LE((inode.place?.size ?? listing.size) + LISTING_EXTRA, 20);
    bytes.writeUInt32LE(block, 24);
    bytes.writeUInt16LE(offset, 34);
    bytes.writeUInt32LE(xattr, 36);
  } else if (type === "file") {
    bytes.writeUInt32LE(links, 40);
    bytes.writeUInt32LE(NONE, 44);
    bytes.writeUInt32LE(xattr, 52);
  } else {
    bytes.writeUInt32LE(links, 16);
    bytes.writeUInt32LE(Buffer.byteLength(target), 20);
    bytes.write(target, 24);
    bytes.writeUInt32LE(xattr, 24 + Buffer.byteLength(target));
  }
  return bytes;
}

/** Where each inode will stand in the uncompressed table. */
function places(inodes: Crafted["inodes"]) {
  const where = new Map<string, { position: number; inode: CraftedInode }>();
  let position = 0;
  for (const [name, inode] of Object.entries(inodes)) {
    where.set(name, { position, inode });
    position += sizeOf(inode);
  }
  return where;
}

/** The image, padded to whole pages. */
export function craftImage(crafted: Crafted): Buffer {
  const { inodes, listings, root, xattrs } = crafted;
  const where = places(inodes);
  const directories: Buffer[] = [];
  const starts = new Map<string, { start: number; size: number }>();
  let at = 0;
  for (const [name, entries] of Object.entries(listings)) {
    const listing = encodeListing(entries, where);
    starts.set(name, { start: at, size: listing.length });
    directories.push(listing);
    at += listing.length;
  }
  const none = { start: 0, size: 0 };
  const table = Object.values(inodes).map((inode) =>
    encodeInode(inode, starts.get(inode.listing ?? "") ?? none),
  );
  const inodeTable = storedBlocks(Buffer.concat(table));
  const directoryTable = crafted.directoryTable ?? storedBlocks(Buffer.concat(directories));
  const directoryStart = 96 + inodeTable.length;
  const idStart = directoryStart + directoryTable.length;
  const ids = indexed(Buffer.alloc(4), idStart);
  const xattrStart = idStart + ids.table.length;
  const attributes = xattrs === undefined ? undefined : encodeXattrs(xattrs, xattrStart);
  const tables = [inodeTable, directoryTable, ids.table, attributes?.table ?? Buffer.alloc(0)];
  const body = Buffer.concat(tables);
  const head = Buffer.alloc(96);
  head.write("hsqs", 0, "latin1");
  const largest = Math.max(...Object.values(inodes).map(({ number }) => number));
  head.writeUInt32LE(crafted.inodeCount ?? largest, 4);
  head.writeUInt32LE(131_072, 12);
  head.writeUInt16LE(1, 20); // gzip
  head.writeUInt16LE(17, 22);
  head.writeUInt16LE(0x0010, 24); // no fragments
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(4, 28);
  head.writeBigUInt64LE(metaRef(where.get(root)?.position ?? 0), 32);
  head.writeBigUInt64LE(BigInt(96 + body.length), 40);
  const fields = [
    BigInt(ids.index),
    attributes === undefined ? NO_TABLE : BigInt(attributes.index),
    96n,
    BigInt(directoryStart),
    NO_TABLE, // fragments
    NO_TABLE, // export
  ];
  fields.forEach((field, i) => {
    head.writeBigUInt64LE(field, 48 + i * 8);
  });
  const image = Buffer.concat([head, body]);
  return Buffer.concat([image, Buffer.alloc(-image.length & 4095)]);
}

/** Values, then the sets, then the header, which the superblock names. */
function encodeXattrs({ values, sets }: NonNullable<Crafted["xattrs"]>, start: number) {
  const held = storedBlocks(values);
  const ids = Buffer.alloc(sets.length * 16);
  sets.forEach(({ ref, count }, i) => {
    ids.writeBigUInt64LE(metaRef(ref), i * 16);
    ids.writeUInt32LE(count, i * 16 + 8);
  });
  const { table, index } = indexed(ids, start + held.length);
  const blocks = table.subarray(0, index - start - held.length);
  const header = Buffer.alloc(16);
  header.writeBigUInt64LE(BigInt(start), 0);
  header.writeUInt32LE(sets.length, 8);
  const places = table.subarray(blocks.length);
  return {
    table: Buffer.concat([held, blocks, header, places]),
    index: start + held.length + blocks.length,
  };
}

/** Metadata of extended attributes: `user.NAME` and its value, or where another one is. */
export function encodeAttribute(name: string, value: Buffer | { elsewhere: number }): Buffer {
  const key = Buffer.from(name);
  const stored = Buffer.isBuffer(value) ? value : Buffer.alloc(8);
  if (!Buffer.isBuffer(value)) stored.writeBigUInt64LE(metaRef(value.elsewhere));
  const head = Buffer.alloc(4);
  head.writeUInt16LE(Buffer.isBuffer(value) ? 0 : 0x100, 0);
  head.writeUInt16LE(key.length, 2);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(stored.length);
  return Buffer.concat([head, key, size, stored]);
}
