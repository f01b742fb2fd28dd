// JSON schema of bundle.config.*, from the options of `bundle build` (option-rules.mjs).
//
// In options.json `path` says that a value is a path ("slash": when it has a slash), and
// `config: false` that an option is for the command line alone.

import { commandNamed } from "./help.mjs";
import { isForCommandLine, keysOf, rulesOf } from "./option-rules.mjs";

/** @import {OptionRow, OptionRule, Options, Schema} from "./types.mts" */

function powersOfTwo(/** @type {number} */ min, /** @type {number} */ max) {
  const count = Math.log2(max / min) + 1;
  return Array.from({ length: count }, (_, power) => min * 2 ** power);
}

/** @param {OptionRule} rule @returns {Schema} */
function schemaOf({ type, choices, min, max, powerOfTwo, pattern, mayBeEmpty }) {
  const filled = pattern || mayBeEmpty ? {} : { minLength: 1 };
  const text = { type: "string", ...(pattern && { pattern }), ...filled };
  if (type === "boolean") return { type };
  if (type === "list")
    return { type: "array", items: choices ? { type: "string", enum: choices } : text };
  if (powerOfTwo && min !== undefined && max !== undefined)
    return { type, enum: powersOfTwo(min, max) };
  if (type === "integer") return { type, minimum: min, maximum: max };
  if (choices) return { type, enum: choices };
  return text;
}

/**
 * Keys in order of the options.
 * @typedef {[key: string, description: string, path: OptionRow["path"], schema?: Schema]} Entry
 */

/** @returns {Entry[]} */
function entriesOf(/** @type {OptionRow} */ option) {
  if (isForCommandLine(option)) return [];
  const summary = option.summary.replace(/; write --arg.*$/, "");
  const negated = option.type === "boolean" && option.name.startsWith("no-");
  return keysOf(option).map(([key, { description, schema }]) => [
    key,
    description ?? (negated ? `false: ${summary}` : summary),
    option.path,
    schema,
  ]);
}

/** @returns {{properties: Record<string, Schema>, paths: Record<string, true | "slash">}} */
export function configKeys(/** @type {Options} */ { commands }) {
  const build = commandNamed("build", commands);
  const rules = rulesOf(build);
  /** @type {Entry[]} */
  const inputs = build.arguments.map(({ key = "", summary }) => [key, summary, true]);
  const entries = [...inputs, ...build.options.flatMap(entriesOf)];
  return {
    properties: Object.fromEntries(
      entries.map(([key, description, , schema]) => [
        key,
        { description, ...(schema ?? schemaOf(rules[key])) },
      ]),
    ),
    paths: Object.fromEntries(
      entries.flatMap(([key, , path]) => (path === undefined ? [] : [[key, path]])),
    ),
  };
}

export function configSchema(/** @type {Options} */ options) {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Options of `bundle build`",
    type: "object",
    additionalProperties: false,
    properties: {
      $schema: { description: "this schema, for editors", type: "string" },
      ...configKeys(options).properties,
    },
  };
}
