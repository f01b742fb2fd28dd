// What each option of a command takes, by its key in the library, from the rows of options.json.
//
// An option's key is its name in camel case; that of --no-NAME is `name`. In a row `key` says another
// one, `keys` several of them, each with rules of its own; an argument has one where the library does.
// Rules are `choices`, `min` and `max` (a whole number), `powerOfTwo`, `pattern` and `maxBytes` (a
// text), and `mayBeEmpty` (what is in a list: else it is not); `list` says that the one text of the command line is a list; `expected` says it in words.
// An option of one kind of app has the kind before its summary: "node: ...".

/** @import {Command, KeyRow, OptionRow, OptionRule, Options, ValueRule, Values} from "./types.mts" */

/**
 * What says of a value what it may be: an option, one of its keys, an argument.
 * @typedef {KeyRow & {multiple?: boolean, list?: boolean}} Row
 */

const camelCase = (/** @type {string} */ name) =>
  name.replace(/-[a-z]/g, ([, letter]) => letter.toUpperCase());

/** @type {(keyof Values)[]} */
const rules = [
  "choices",
  "min",
  "max",
  "powerOfTwo",
  "pattern",
  "maxBytes",
  "mayBeEmpty",
  "expected",
];

/** @returns {ValueRule} */
function ruleOf(/** @type {Row} */ row) {
  const isList = row.multiple || row.list;
  if (row.schema) return { type: "object", ...(row.expected && { expected: row.expected }) };
  const isNumber = row.min !== undefined || row.max !== undefined;
  const type = isList
    ? "list"
    : row.type === "boolean"
      ? "boolean"
      : isNumber
        ? "integer"
        : "string";
  const given = rules.filter((name) => row[name] !== undefined).map((name) => [name, row[name]]);
  return { type, ...Object.fromEntries(given) };
}

/** Whether a row is for the command line alone. */
export const isForCommandLine = (/** @type {OptionRow} */ { name, config }) =>
  config === false || name === "json";

/** Of one row: the key and the row of each of its keys. @returns {[key: string, row: Row][]} */
export function keysOf(/** @type {OptionRow} */ row) {
  if (row.keys) return Object.entries(row.keys);
  const negated = row.type === "boolean" && row.name.startsWith("no-");
  const key = row.key ?? camelCase(negated ? row.name.slice("no-".length) : row.name);
  return [[key, row]];
}

/**
 * Rules of one command by key, with how a command line names it: `argument`, or `flag` and `value`.
 * @param {Command} command
 * @returns {Record<string, OptionRule>}
 */
export function rulesOf({ options, arguments: positionals, rest }) {
  const named = [...positionals, ...(rest ? [{ ...rest, list: true }] : [])].flatMap((row) =>
    row.key === undefined ? [] : [[row.key, { argument: row.name, ...ruleOf(row) }]],
  );
  const flags = options
    .filter((row) => !isForCommandLine(row))
    .flatMap((row) =>
      keysOf(row).map(([key, own]) => {
        const { name, value, short } = row;
        const [, kind] = /^(image|node): /.exec(row.summary) ?? [];
        const flag = {
          flag: `--${name}`,
          ...(kind && { kind }),
          ...(value && { value }),
          ...(short && { short }),
        };
        return [key, { ...flag, ...ruleOf(own) }];
      }),
    );
  return Object.fromEntries([...named, ...flags]);
}

/** @returns {Record<string, Record<string, OptionRule>>} by command */
export function optionRules(/** @type {Options} */ { commands }) {
  return Object.fromEntries(commands.map((command) => [command.name, rulesOf(command)]));
}
