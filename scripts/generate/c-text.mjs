// How values are written in C.

import { layoutOf } from "./layout.mjs";
import { notice } from "./spec.mjs";

/** @import {Field} from "./types.mts" */

/** A constant of an enumeration. @typedef {[name: string, value: string | number, comment?: string]} Constant */

/** A string literal. */
export const cString = (/** @type {string} */ text) =>
  JSON.stringify(text).replaceAll("\\u001b", "\\033");

export const define = (/** @type {string} */ name, /** @type {string | number} */ value) =>
  `#define ${name} ${value}`;

/** "dynamic-empty", "inodeCount" → DYNAMIC_EMPTY, INODE_COUNT */
export const constantName = (/** @type {string} */ name) =>
  name
    .replaceAll("-", "_")
    .replace(/[a-z0-9](?=[A-Z])/g, "$&_")
    .toUpperCase();

/** A list as a macro that takes a macro: X(...) for each row. */
export const xMacro = (/** @type {string} */ name, /** @type {(string | number)[][]} */ rows) =>
  `#define ${name}(X) \\\n${rows.map((row) => `\tX(${row.join(", ")})`).join(" \\\n")}`;

/**
 * An enumeration.
 * @param {string} name
 * @param {Constant[]} rows
 */
export function enumeration(name, rows) {
  const lines = rows.map(
    ([constant, value, comment]) =>
      `\t${constant} = ${value},${comment ? ` /* ${comment} */` : ""}`,
  );
  return `enum ${name} {\n${lines.join("\n")}\n};`;
}

/**
 * Constants for where each field is.
 * @param {string} prefix
 * @param {Field[]} fields
 * @returns {Constant[]}
 */
export const fieldRows = (prefix, fields) =>
  layoutOf(fields).fields.map(({ name, offset, bytes }) => [
    `${prefix}_${constantName(name)}`,
    offset,
    `${bytes} bytes`,
  ]);

/**
 * A whole header.
 * @param {string} name that of its file without the ending
 * @param {string[]} body
 */
export function header(name, body) {
  const guard = `GENERATED_${constantName(name)}_H`;
  return `/* ${notice} */\n#ifndef ${guard}\n#define ${guard}\n\n${body.join("\n\n")}\n\n#endif\n`;
}
