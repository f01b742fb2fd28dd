// The description at the front of the loader stub: runtime/generated/own_loader.h, and its table in the docs.

import { constantName, cString, define, header, xMacro } from "./c-text.mjs";
import { layoutOf } from "./layout.mjs";

/** @import {OwnLoaderField, Spec} from "./types.mts" */

/** Types of fields that are numbers, by their bytes. @type {Record<number, string>} */
const types = { 4: "uint32_t", 8: "uint64_t" };

/**
 * Constants for the magic and the size of a structure.
 * @param {string} name
 * @param {string} magic
 * @param {OwnLoaderField[]} fields
 */
const constants = (name, magic, fields) =>
  [
    define(`${constantName(name)}_MAGIC`, cString(magic)),
    define(`${constantName(name)}_BYTES`, layoutOf(fields).size),
  ].join("\n");

/**
 * A structure.
 * @param {string} name
 * @param {string} magic
 * @param {OwnLoaderField[]} fields
 */
function structure(name, magic, fields) {
  const prefix = constantName(name);
  const members = fields.map(({ name: field, bytes, summary }) => {
    const type = field === "magic" ? `char magic[${magic.length}]` : `${types[bytes]} ${field}`;
    return `\t${type}; /* ${summary.replaceAll("`", "")} */`;
  });
  return [
    `struct ${name} {\n${members.join("\n")}\n};`,
    `_Static_assert(sizeof(struct ${name}) == ${prefix}_BYTES, "no gaps");`,
  ].join("\n");
}

const choices = (/** @type {string[]} */ names) =>
  names.map((name, index) => `OWN_LOADER_${constantName(name)} = ${index}`).join(", ");

export function cOwnLoader(/** @type {Spec} */ { errors, ownLoader }) {
  const { magic, version, fields, modes, libcs, variables } = ownLoader;
  const failures = errors.filter(({ raisedBy }) => raisedBy.includes("stub"));
  return header("own_loader", [
    define("OWN_LOADER_VERSION", version),
    constants("own_loader", magic, fields),
    constants("libc_variables", variables.magic, variables.fields),
    "/* The rest is not for the assembler. */\n#ifndef __ASSEMBLER__\n#include <stdint.h>",
    `enum { ${choices(modes)} };\nenum { ${choices(libcs)} };`,
    "/* At the front of the loader stub: docs/format.md. Bytes from here, and addresses of the linker. */\n" +
      structure("own_loader", magic, fields),
    "/* At the front of what a packed libc.so.6 is given. */\n" +
      structure("libc_variables", variables.magic, variables.fields),
    "/* Every failure of the loader stub: X(code, hint). docs/errors.md has the prose. */\n" +
      xMacro(
        "OWN_LOADER_FAILURES",
        failures.map(({ code, hint }) => [code, cString(hint)]),
      ),
    `enum own_loader_failure {\n${failures.map(({ code }) => `\t${code},`).join("\n")}\n};`,
    "#endif",
  ]);
}

export function ownLoaderTable(/** @type {Spec} */ { ownLoader }) {
  const rows = layoutOf(ownLoader.fields).fields.map(
    (field, index) => `| ${field.offset} | ${field.bytes} | ${ownLoader.fields[index].summary} |`,
  );
  return ["| offset | size | content |", "|---|---|---|", ...rows].join("\n");
}
