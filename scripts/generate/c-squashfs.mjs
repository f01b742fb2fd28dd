// runtime/generated/squashfs.h: the numbers of the squashfs format, and the failures of its reader.

import {
  constantName,
  cString,
  define,
  enumeration,
  fieldRows,
  header,
  xMacro,
} from "./c-text.mjs";
import { layoutOf } from "./layout.mjs";

/** @typedef {import("./c-text.mjs").Constant} Constant */
/** @import {ExtractKind, Spec, SquashfsError} from "./types.mts" */

/** Four bytes as the number that a little-endian load makes of them. */
const littleEndian = (/** @type {string} */ text) =>
  `0x${Buffer.from(text, "latin1").readUInt32LE(0).toString(16).padStart(8, "0")}u`;

const hexadecimal = (/** @type {number} */ value) => `0x${value.toString(16).padStart(4, "0")}`;

const errorName = (/** @type {SquashfsError} */ { name }) => `SQFS_E${name.toUpperCase()}`;

export function cSquashfs(/** @type {Spec} */ { squashfs }) {
  const { compressors, errors, extractKinds, flags, inodeTypes, refusedXattrs } = squashfs;
  const counted = [...extractKinds, refusedXattrs];
  const kindName = (/** @type {ExtractKind} */ { name }) => `EXTRACT_${constantName(name)}`;
  /** @type {Constant[]} */
  const kinds = counted.map((kind, index) => [kindName(kind), index, kind.summary]);
  return header("squashfs", [
    [
      define("SQFS_MAGIC", `${littleEndian(squashfs.magic)} /* ${cString(squashfs.magic)} */`),
      define(
        "SQFS_MAGIC_BIG_ENDIAN",
        `${littleEndian(squashfs.bigEndianMagic)} /* ${cString(squashfs.bigEndianMagic)} */`,
      ),
      define("SQFS_MAJOR", squashfs.major),
      define("SQFS_MINOR", squashfs.minor),
      define("SQFS_META_SIZE", `${squashfs.metadataBytes}u`),
    ].join("\n"),
    "/* Where the fields of the superblock are, bytes from its start. */\n" +
      enumeration("sqfs_super_field", [
        ...fieldRows("SQFS_SUPER", squashfs.superblock),
        ["SQFS_SUPER_SIZE", layoutOf(squashfs.superblock).size],
      ]),
    enumeration(
      "sqfs_flag",
      flags.map(({ name, value }) => [`SQFS_FLAG_${constantName(name)}`, hexadecimal(value)]),
    ),
    enumeration(
      "sqfs_compressor",
      compressors.map(({ name, value }) => [`SQFS_${constantName(name)}`, value]),
    ),
    "/* X(name, as it is called) */\n" +
      xMacro(
        "SQFS_COMPRESSORS",
        compressors.map(({ name }) => [`SQFS_${constantName(name)}`, cString(name)]),
      ),
    "/* Kinds of inode as they stand in an inode and, basic ones only, in a directory entry. */\n" +
      enumeration(
        "sqfs_type",
        inodeTypes.map(({ constant, value }) => [`SQFS_${constant}`, value]),
      ) +
      "\n\n/* Added to a type: the long form of it. */\n" +
      define("SQFS_EXTENDED", squashfs.extendedType),
    enumeration(
      "sqfs_error",
      errors.map((error) => [errorName(error), error.value, error.summary]),
    ),
    "/* X(name, in words) */\n" +
      xMacro(
        "SQFS_ERRORS",
        errors.map((error) => [errorName(error), cString(error.text)]),
      ),
    "/* X(name, errno of a file system), where that is not EIO */\n" +
      xMacro(
        "SQFS_ERROR_NUMBERS",
        errors.flatMap((error) => (error.errno ? [[errorName(error), error.errno]] : [])),
      ),
    "/* What extraction leaves out and counts: kinds that can be asked for, and refused attributes. */\n" +
      enumeration("extract_kind", [
        ...kinds,
        ["EXTRACT_KINDS", extractKinds.length],
        ["EXTRACT_COUNTS", counted.length],
      ]),
    "/* X(name, how options and reports call it) */\n" +
      xMacro(
        "EXTRACT_WORDS",
        counted.map((kind) => [kindName(kind), cString(kind.word)]),
      ),
  ]);
}
