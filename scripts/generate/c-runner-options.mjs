// runtime/generated/runner_options.h: the options of `fuselage`, as its parser reads them; run_options.h: those of
// a start whose root directory is the image.

import { constantName, cString, define, header, xMacro } from "./c-text.mjs";
import { orList } from "./words.mjs";

/** @import {OptionRow, Spec} from "./types.mts" */

/** The values that an option may have, as a list of strings and in words. */
function choicesOf(/** @type {OptionRow} */ { name, choices = [] }) {
  const list = choices.map((choice) => `${cString(choice)} "\\0"`).join(" ");
  return [
    define(`RUNNER_${constantName(name)}_CHOICES`, list),
    define(`RUNNER_${constantName(name)}_WORDS`, cString(orList(choices))),
  ].join("\n");
}

export function cRunnerOptions(/** @type {Spec} */ { options }) {
  const rows = options.runner.options;
  return header("runner_options", [
    "/* X(name, as it is written, its letter or 0, whether it has a value, whether it counts behind\n" +
      " * --run PATH too, where other options are the program's own, whether its value may be missing) */\n" +
      xMacro(
        "RUNNER_OPTIONS",
        rows.map(({ name, short, type, behindRun = false, optionalValue = false }) => [
          constantName(name),
          cString(`--${name}`),
          short ? `'${short}'` : "0",
          `${type === "string"}`,
          `${behindRun}`,
          `${optionalValue}`,
        ]),
      ),
    "/* Values that an option may have: strings one after the other, an empty one at the end. */\n" +
      rows
        .filter(({ choices }) => choices)
        .map(choicesOf)
        .join("\n"),
  ]);
}

/** runtime/generated/run_options.h: what --bundle-run takes. */
export function cRunOptions(/** @type {Spec} */ { options }) {
  return header("run_options", [
    "/* X(name, as it is written, its letter or 0, whether it has a value) */\n" +
      xMacro(
        "RUN_OPTIONS",
        options.run.options.map(({ name, short, type }) => [
          constantName(name),
          cString(`--${name}`),
          short ? `'${short}'` : "0",
          `${type === "string"}`,
        ]),
      ),
  ]);
}
