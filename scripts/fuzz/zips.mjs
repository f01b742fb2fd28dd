// Zip files that no packer here makes.

import { crc32 } from "node:zlib";
import { bytes, struct } from "./bytes.mjs";

/** @typedef {import("./bytes.mjs").Bytes} Bytes */

/** Zip64 records of an archive without a comment, in place of its end record alone. */
export function zip64(/** @type {Buffer} */ zip) {
  const end = zip.length - 22;
  const count = zip.readUInt16LE(end + 10);
  const size = zip.readUInt32LE(end + 12);
  const start = zip.readUInt32LE(end + 16);
  return bytes(
    zip.subarray(0, end),
    struct([0x06064b50, 4], [44, 8], [45, 2], [45, 2], [0, 4], [0, 4], [count, 8], [count, 8]),
    struct([size, 8], [start, 8], [0x07064b50, 4], [0, 4], [end, 8], [1, 4]),
    struct([0x06054b50, 4], [0, 2], [0, 2], [0xffff, 2], [0xffff, 2], [-1, 4], [-1, 4], [0, 2]),
  );
}

/** One stored file with a data descriptor, behind some bytes of something else. */
export function zipWithDescriptor() {
  const contents = Buffer.from("contents\n");
  const facts = struct([crc32(contents), 4], [contents.length, 4], [contents.length, 4]);
  const local = bytes(
    struct(
      [0x04034b50, 4],
      [20, 2],
      [8, 2],
      [0, 2],
      [0, 4],
      [0, 4],
      [0, 4],
      [0, 4],
      [4, 2],
      [0, 2],
    ),
    "name",
    contents,
    struct([0x08074b50, 4]),
    facts,
  );
  const central = bytes(
    struct([0x02014b50, 4], [0x314, 2], [20, 2], [8, 2], [0, 2], [0, 4]),
    facts,
    struct([4, 2], [0, 2], [0, 2], [0, 2], [0, 2], [0o100644 << 16, 4], [0, 4]),
    "name",
  );
  const end = struct(
    [0x06054b50, 4],
    ...[0, 0, 1, 1].map((value) => [value, 2]),
    [central.length, 4],
    [local.length, 4],
    [0, 2],
  );
  return bytes("#!/something else\n", local, central, end);
}

/** Empty files of Windows: code page 437, backslashes, a Unicode path, times of Unix and NTFS. */
export function zipOfWindows() {
  const field = (/** @type {number} */ id, /** @type {Bytes} */ content) =>
    bytes(struct([id, 2], [bytes(content).length, 2]), content);
  const ascii = Buffer.from("A.TXT");
  const unicodePath = bytes(struct([1, 1], [crc32(ascii), 4]), "d/\u00e9");
  const ntfs = struct([0, 4], [1, 2], [24, 2], [0x01d0 * 2 ** 48, 8], [0, 8], [0, 8]);
  /** @type {[Buffer, Buffer][]} */
  const entries = [
    [Buffer.from("d\\\x81", "latin1"), field(0x5455, struct([1, 1], [-1, 4]))],
    [ascii, bytes(field(0x7075, unicodePath), field(0x000a, ntfs))],
  ];
  const locals = entries.map(([name, extra]) =>
    bytes(
      struct([0x04034b50, 4], [20, 2], ...Array(5).fill([0, 4])),
      struct([name.length, 2], [extra.length, 2]),
      name,
      extra,
    ),
  );
  const centrals = entries.map(([name, extra], index) =>
    bytes(
      struct([0x02014b50, 4], [20, 2], [20, 2], ...Array(5).fill([0, 4])),
      struct([name.length, 2], [extra.length, 2], [0, 2], [0, 2], [0, 2], [0, 4]),
      struct([index === 0 ? 0 : (locals[0]?.length ?? 0), 4]),
      name,
      extra,
    ),
  );
  const start = bytes(...locals).length;
  const size = bytes(...centrals).length;
  const end = struct([0x06054b50, 4], [0, 4], [2, 2], [2, 2], [size, 4], [start, 4], [0, 2]);
  return bytes(...locals, ...centrals, end);
}
