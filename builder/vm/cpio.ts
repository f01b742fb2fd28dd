/**
 * Cpio archives as the kernel reads an initramfs: format "newc" (Documentation/driver-api/early-userspace/
 * buffer-format.rst of Linux). The bytes depend on the entries alone: no owner, no time, inodes counted.
 */

/** A file, folder or device. */
export interface CpioEntry {
  /** Below the root, without a leading slash; folders before what is in them. */
  name: string;
  /** Type and rights, as of stat(2). */
  mode: number;
  data?: Uint8Array;
}

/** Types of `CpioEntry.mode`. */
export const FOLDER = 0o040000;
export const FILE = 0o100000;

const MAGIC = "070701";
const TRAILER = "TRAILER!!!";
const ALIGNMENT = 4;

const padding = (bytes: number) => Buffer.alloc((ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT);

function* member({ name, mode, data }: CpioEntry, inode: number): Generator<Uint8Array> {
  const text = Buffer.from(`${name}\0`);
  const size = data?.length ?? 0;
  // inode, mode, uid, gid, links, mtime, size, device (2), device that it is (2), bytes of the name, checksum
  const fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, text.length, 0];
  const hex = fields.map((field) => field.toString(16).padStart(8, "0"));
  const head = Buffer.concat([Buffer.from(MAGIC + hex.join("")), text]);
  yield head;
  yield padding(head.length);
  if (data === undefined) return;
  yield data;
  yield padding(size);
}

/**
 * @param firstInode number of the first entry. Archives that follow each other need different ones: the
 *   kernel takes what has one number for one file
 * @returns the archive, a multiple of 4 bytes
 */
export function cpioArchive(entries: readonly CpioEntry[], firstInode = 1): Buffer {
  const parts = entries.flatMap((entry, index) => [...member(entry, firstInode + index)]);
  return Buffer.concat([...parts, ...member({ name: TRAILER, mode: 0 }, 0)]);
}
