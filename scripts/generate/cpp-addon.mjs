// native/generated/addon.h: what crosses the border between the addon and the builder.

import { constantName, header } from "./c-text.mjs";

/** @import {AddonRow, Spec} from "./types.mts" */

const snakeCase = (/** @type {string} */ name) => constantName(name).toLowerCase();

/** Columns as constants in a namespace of their own, and how many there are. */
function row(/** @type {AddonRow} */ { name, summary, columns }) {
  const lines = [...columns.map(snakeCase), "columns"].map((column) => `\t${column},`);
  return `// ${summary}\nnamespace ${snakeCase(name)}_row\n{\nenum : size_t {\n${lines.join("\n")}\n};\n}`;
}

export function cppAddon(/** @type {Spec} */ { addon }) {
  const kinds = addon.failures.map(({ name, summary }) => `\t${name}, // ${summary}`);
  const names = addon.failures.map(({ name }) => `"${name}"`).join(", ");
  return header("addon", [
    "#include <cstddef>\n#include <cstdint>",
    "namespace native\n{",
    addon.rows.map(row).join("\n\n"),
    `// In a column: none.\nconstexpr uint32_t none = ${addon.none}u;`,
    `enum class FailureKind {\n${kinds.join("\n")}\n};`,
    `// By kind.\nconstexpr const char *failure_names[] = { ${names} };`,
    "} // namespace native",
  ]);
}
