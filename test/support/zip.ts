/** Zip files made byte by byte, so that each field can be wrong on its own (APPNOTE.TXT 6.3.10). */
import { crc32, deflateRawSync } from "node:zlib";

export interface ZipEntry {
  /** With a slash at its end a directory. */
  name: string;
  content?: string | Buffer;
  deflate?: boolean;
  /** As st_mode: type and permissions; 0 and undefined leave the external attributes empty. */
  mode?: number;
  /** Sizes and offset in the zip64 extra field. */
  zip64?: boolean;
  /** The bytes of the name in the headers; default: `name` in UTF-8. */
  stored?: Buffer;
  /** System of the maker (APPNOTE 4.4.2); default: 3, Unix. */
  madeBy?: number;
  /** Fields of both headers, as `extraField` makes them. */
  extra?: readonly Buffer[];
  /** Year of the MS-DOS time, 1980 to 2107; default: 2020. */
  year?: number;
  /** What the headers say instead of what is true. */
  claim?: {
    localName?: string;
    crc?: number;
    size?: number;
    method?: number;
    flags?: number;
    offset?: number;
  };
}

export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;

/** @returns entry as a symlink */
export function zipLink(name: string, target: string): ZipEntry {
  return { name, content: target, mode: S_IFLNK | 0o777 };
}

/** @returns an extra field (APPNOTE 4.5): id, size, content */
export function extraField(id: number, content: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(id, 0);
  head.writeUInt16LE(content.length, 2);
  return Buffer.concat([head, content]);
}

function zip64Field(sizes: number[]): Buffer {
  const content = Buffer.alloc(sizes.length * 8);
  for (const [index, size] of sizes.entries()) content.writeBigUInt64LE(BigInt(size), index * 8);
  return extraField(1, content);
}

function headers(entry: ZipEntry, start: number) {
  const content = Buffer.from(entry.content ?? "");
  const stored = entry.deflate ? deflateRawSync(content) : content;
  const { claim = {}, zip64 = false } = entry;
  const crc = claim.crc ?? crc32(content);
  const size = claim.size ?? content.length;
  const offset = claim.offset ?? start;
  const common = Buffer.alloc(22);
  common.writeUInt16LE(claim.flags ?? 0x0800, 0); // names in UTF-8
  common.writeUInt16LE(claim.method ?? (entry.deflate ? 8 : 0), 2);
  common.writeUInt16LE((12 << 11) | (30 << 5), 4);
  common.writeUInt16LE((((entry.year ?? 2020) - 1980) << 9) | (2 << 5) | 3, 6);
  common.writeUInt32LE(crc, 8);
  common.writeUInt32LE(zip64 ? 0xffffffff : stored.length, 12);
  common.writeUInt32LE(zip64 ? 0xffffffff : size, 16);

  const name = entry.stored ?? Buffer.from(entry.name);
  const localName = claim.localName === undefined ? name : Buffer.from(claim.localName);
  const { extra = [] } = entry;
  const localExtra = Buffer.concat([
    ...(zip64 ? [zip64Field([size, stored.length])] : []),
    ...extra,
  ]);
  const local = Buffer.concat([Buffer.alloc(6), common, Buffer.alloc(2), localName, localExtra]);
  local.write("PK\x03\x04", 0, "latin1");
  local.writeUInt16LE(zip64 ? 45 : 20, 4);
  local.writeUInt16LE(localName.length, 26);
  local.writeUInt16LE(localExtra.length, 28);

  const sizes = zip64 ? [zip64Field([size, stored.length, offset])] : [];
  const centralExtra = Buffer.concat([...sizes, ...extra]);
  const central = Buffer.concat([Buffer.alloc(8), common, Buffer.alloc(16), name, centralExtra]);
  central.write("PK\x01\x02", 0, "latin1");
  central.writeUInt16LE(((entry.madeBy ?? 3) << 8) | 20, 4);
  central.writeUInt16LE(zip64 ? 45 : 20, 6);
  central.writeUInt16LE(name.length, 28);
  central.writeUInt16LE(centralExtra.length, 30);
  central.writeUInt32LE(((entry.mode ?? 0) << 16) >>> 0, 38);
  central.writeUInt32LE(zip64 ? 0xffffffff : offset, 42);
  return { local: Buffer.concat([local, stored]), central };
}

/** A zip file of these entries, in this order. With zip64 also its end record is the large one. */
export function makeZip(entries: readonly ZipEntry[], zip64 = false): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const { local, central } = headers(entry, at);
    locals.push(local);
    centrals.push(central);
    at += local.length;
  }
  const directory = Buffer.concat(centrals);
  const tail: Buffer[] = [];
  if (zip64) {
    const record = Buffer.alloc(56 + 20);
    record.write("PK\x06\x06", 0, "latin1");
    record.writeBigUInt64LE(44n, 4);
    record.writeUInt16LE((3 << 8) | 45, 12);
    record.writeUInt16LE(45, 14);
    record.writeBigUInt64LE(BigInt(entries.length), 24);
    record.writeBigUInt64LE(BigInt(entries.length), 32);
    record.writeBigUInt64LE(BigInt(directory.length), 40);
    record.writeBigUInt64LE(BigInt(at), 48);
    record.write("PK\x06\x07", 56, "latin1");
    record.writeBigUInt64LE(BigInt(at + directory.length), 64);
    record.writeUInt32LE(1, 72);
    tail.push(record);
  }
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(zip64 ? 0xffff : entries.length, 8);
  end.writeUInt16LE(zip64 ? 0xffff : entries.length, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : directory.length, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : at, 16);
  return Buffer.concat([...locals, directory, ...tail, end]);
}
