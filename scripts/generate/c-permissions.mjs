// runtime/generated/permissions.h: what each permission says in plain words.

import { cString, header, xMacro } from "./c-text.mjs";

/** @import {Spec, Worded} from "./types.mts" */

const texts = (/** @type {Worded} */ { name, text }) => [cString(name), cString(text)];

export function cPermissions(/** @type {Spec} */ { permissions: { access, places, rules } }) {
  return header("permissions", [
    `/* X(how files are used, in words) */\n${xMacro("PERMISSION_ACCESS", access.map(texts))}`,
    `/* X(word of fs that stands for a path, in words) */\n${xMacro("PERMISSION_PLACES", places.map(texts))}`,
    "/* X(first words of any other rule, in words, whether a value follows them) */\n" +
      xMacro(
        "PERMISSION_RULES",
        rules.map((row) => [...texts(row), `${row.value !== undefined}`]),
      ),
  ]);
}
