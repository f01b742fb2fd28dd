// Option tables as they stand in options.json → option tables as everything else reads them.
//
// What an option's value may be is said in its row: `choices`, `pattern`, `min` and `max` (with
// `powerOfTwo`), `levels` by choice, and `default`. Where several commands take such a value it stands
// once, in `rules`, and rows name it by `rule`; what a row says itself goes before that.
//
// Texts name what stands in the same row as {choices}, {min}, {levels.zstd.max}. Choices that are
// {"machines": "linux-{node}"} are made of a text for each machine that is built for.

import { orList } from "./words.mjs";

/** @import {KeyRow, Machines, OptionRow, Options, WrittenKey, WrittenOption, WrittenOptions} from "./types.mts" */

/** 131072 → "128K", where bytes are counted in powers of two. */
function bytes(/** @type {number} */ number) {
  if (number % 1048576 === 0) return `${number / 1048576}M`;
  return number % 1024 === 0 ? `${number / 1024}K` : `${number}`;
}

/**
 * A text with what it names of `row` in it.
 * @param {string} text
 * @param {{name?: string, powerOfTwo?: boolean}} row
 */
function filled(text, row) {
  return text.replaceAll(/(?<!\$)\{([a-z]\w*(?:\.\w+)*)\}/g, (_, /** @type {string} */ name) => {
    /** @type {unknown} */
    let value = row;
    for (const key of name.split(".")) value = value instanceof Object && Reflect.get(value, key);
    if (Array.isArray(value)) return orList(value);
    if (typeof value === "number") return row.powerOfTwo ? bytes(value) : `${value}`;
    if (typeof value === "string") return value;
    throw new Error(`options.json: "${text}": ${row.name ?? "the rule"} has no ${name}`);
  });
}

/** @param {WrittenOption["choices"]} choices @param {Machines} machines */
function choicesOf(choices, machines) {
  if (choices === undefined || Array.isArray(choices)) return choices;
  return machines.built.map((machine) => filled(choices.machines, machine));
}

/**
 * One key of several: what stands there, and of its row the choices or the range of all levels.
 * @param {WrittenKey} key
 * @param {Pick<OptionRow, "name" | "choices" | "levels">} row
 * @returns {KeyRow}
 */
function keyOf({ values, ...own }, row) {
  const levels = Object.values(row.levels ?? {});
  return {
    ...own,
    ...(own.description && { description: filled(own.description, row) }),
    ...(own.expected && { expected: filled(own.expected, row) }),
    ...(values === "choices" && { choices: row.choices }),
    ...(values === "levels" && {
      min: Math.min(...levels.map(({ min }) => min)),
      max: Math.max(...levels.map(({ max }) => max)),
    }),
  };
}

/**
 * A row with what its rule says, and its texts filled.
 * @param {WrittenOption} row
 * @param {WrittenOptions["rules"]} rules
 * @param {Machines} machines
 * @returns {OptionRow}
 */
function rowOf(row, rules, machines) {
  const { name, rule: wanted, ...own } = row;
  const rule = wanted === undefined ? undefined : rules[wanted];
  if (wanted !== undefined && rule === undefined) {
    throw new Error(`options.json: ${name}: there is no rule ${wanted}`);
  }
  const { choices: given, ...written } = { name, ...rule, ...own };
  const { summary, keys } = written;
  if (summary === undefined) throw new Error(`options.json: ${name} has no summary`);
  const choices = choicesOf(given, machines);
  const made = { ...written, ...(choices && { choices }) };
  const expected = made.expected && filled(made.expected, made);
  return {
    ...made,
    summary: filled(summary, made),
    ...(expected && { expected }),
    ...(keys && {
      keys: Object.fromEntries(Object.entries(keys).map(([key, own]) => [key, keyOf(own, made)])),
    }),
  };
}

/**
 * @param {WrittenOptions} options what stands in options.json
 * @param {Machines} machines what stands in machines.json
 * @returns {Options} the same with each row complete
 */
export function expandOptions({ rules, ...options }, machines) {
  const expand = (/** @type {WrittenOption[]} */ rows) =>
    rows.map((row) => rowOf(row, rules, machines));
  return {
    ...options,
    rules: Object.fromEntries(
      Object.keys(rules).map((name) => [name, rowOf({ name, rule: name }, rules, machines)]),
    ),
    commands: options.commands.map((one) => ({ ...one, options: expand(one.options) })),
    run: { ...options.run, options: expand(options.run.options) },
    runner: { ...options.runner, options: expand(options.runner.options) },
  };
}
