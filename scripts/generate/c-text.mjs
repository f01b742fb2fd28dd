// How values are written in C.

import { notice } from "./spec.mjs";

/** A string literal. */
export const cString = (text) => JSON.stringify(text).replaceAll("\\u001b", "\\033");

export const define = (name, value) => `#define ${name} ${value}`;

/** "dynamic-empty", "inodeCount" → DYNAMIC_EMPTY, INODE_COUNT */
export const constantName = (name) =>
  name
    .replaceAll("-", "_")
    .replace(/[a-z0-9](?=[A-Z])/g, "$&_")
    .toUpperCase();

/** A list as a macro that takes a macro: X(...) for each row. */
export const xMacro = (name, rows) =>
  `#define ${name}(X) \\\n${rows.map((row) => `\tX(${row.join(", ")})`).join(" \\\n")}`;

/** An enumeration of [name, value, comment] rows. */
export function enumeration(name, rows) {
  const lines = rows.map(
    ([constant, value, comment]) =>
      `\t${constant} = ${value},${comment ? ` /* ${comment} */` : ""}`,
  );
  return `enum ${name} {\n${lines.join("\n")}\n};`;
}

/** A whole header; `name` is that of its file without the ending. */
export function header(name, body) {
  const guard = `GENERATED_${constantName(name)}_H`;
  return `/* ${notice} */\n#ifndef ${guard}\n#define ${guard}\n\n${body.join("\n\n")}\n\n#endif\n`;
}
