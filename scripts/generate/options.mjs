// Option tables as they stand in options.json → option tables as everything else reads them.
//
// What an option's value may be is said in its row: `choices`, `pattern`, `min` and `max` (with
// `powerOfTwo`), `levels` by choice, and `default`. Where several commands take such a value it stands
// once, in `rules`, and rows name it by `rule`; what a row says itself goes before that.
//
// Texts name what stands in the same row as {choices}, {min}, {levels.zstd.max}. Choices that are
// {"machines": "linux-{node}"} are made of a text for each machine that is built for.

/** "a, b or c" */
const orList = (names) => names.join(", ").replace(/, ([^,]*)$/, " or $1");

/** 131072 → "128K", where bytes are counted in powers of two. */
function bytes(number) {
  if (number % 1048576 === 0) return `${number / 1048576}M`;
  return number % 1024 === 0 ? `${number / 1024}K` : `${number}`;
}

/** A text with what it names of `row` in it. */
function filled(text, row) {
  return text.replaceAll(/(?<!\$)\{([a-z]\w*(?:\.\w+)*)\}/g, (_, name) => {
    const value = name.split(".").reduce((from, key) => from?.[key], row);
    if (Array.isArray(value)) return orList(value);
    if (typeof value === "number") return row.powerOfTwo ? bytes(value) : `${value}`;
    if (typeof value === "string") return value;
    throw new Error(`options.json: "${text}": ${row.name ?? "the rule"} has no ${name}`);
  });
}

function choicesOf(choices, machines) {
  if (choices?.machines === undefined) return choices;
  return machines.built.map((machine) => filled(choices.machines, machine));
}

/** One key of several: what stands there, and of its row the choices or the range of all levels. */
function keyOf({ values, ...own }, row) {
  const levels = Object.values(row.levels ?? {});
  return {
    ...own,
    ...(own.description && { description: filled(own.description, row) }),
    ...(values === "choices" && { choices: row.choices }),
    ...(values === "levels" && {
      min: Math.min(...levels.map(({ min }) => min)),
      max: Math.max(...levels.map(({ max }) => max)),
    }),
  };
}

function rowOf(row, rules, machines) {
  const { rule: name, ...own } = row;
  if (name !== undefined && rules[name] === undefined) {
    throw new Error(`options.json: ${row.name}: there is no rule ${name}`);
  }
  const { choices: given, ...made } = { name: row.name, ...rules[name], ...own };
  const choices = choicesOf(given, machines);
  if (choices !== undefined) made.choices = choices;
  const keys = Object.entries(made.keys ?? {}).map(([key, own]) => [key, keyOf(own, made)]);
  if (keys.length > 0) made.keys = Object.fromEntries(keys);
  if (made.expected !== undefined) made.expected = filled(made.expected, made);
  return { ...made, summary: filled(made.summary, made) };
}

/**
 * @param options what stands in options.json
 * @param machines what stands in machines.json
 * @returns the same with each row complete
 */
export function expandOptions({ rules, ...options }, machines) {
  const expand = (holder) => ({
    ...holder,
    options: holder.options.map((row) => rowOf(row, rules, machines)),
  });
  return {
    ...options,
    rules: Object.fromEntries(
      Object.keys(rules).map((name) => [name, rowOf({ name, rule: name }, rules, machines)]),
    ),
    commands: options.commands.map(expand),
    runner: expand(options.runner),
  };
}
