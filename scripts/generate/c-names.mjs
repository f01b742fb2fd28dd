// runtime/generated/names.h: what the runtime calls things that others know by the same name.

import { constantName, cString, define, header } from "./c-text.mjs";

/** @import {Spec} from "./types.mts" */

/** Strings one after the other, an empty one at the end. */
const list = (/** @type {string[]} */ texts) =>
  texts.map((text) => `${cString(text)} "\\0"`).join(" ");

export function cNames(/** @type {Spec} */ { names, options }) {
  const variables = options.environment.filter(({ sources }) =>
    sources.some((who) => who !== "builder"),
  );
  return header("names", [
    names.paths
      .map(
        ({ name, value, summary }) =>
          `${define(constantName(name), cString(value))} /* ${summary} */`,
      )
      .join("\n"),
    "/* Endings that are no part of an archive's name: strings one after the other, an empty one at\n" +
      " * the end. */\n" +
      define("ARCHIVE_ENDINGS", list(names.archiveEndings.map(({ ending }) => ending))),
    "/* Where nothing of an image may appear, at them, below or above; listed in the same way. */\n" +
      define("RESERVED_PATHS", list(names.reservedPaths)),
    "/* What an image that is a root directory has of its own: these paths and all below, and these alone. */\n" +
      define("SYSTEM_PATHS_BELOW", list(names.systemPaths.below)) +
      "\n" +
      define("SYSTEM_PATHS_EXACTLY", list(names.systemPaths.exactly)),
    "/* Environment variables; docs/cli.md says what they do. */\n" +
      variables.map(({ name }) => define(`ENV_${name}`, cString(name))).join("\n"),
  ]);
}
