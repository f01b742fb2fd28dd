// What each option of a command takes, by its key in the library, from the rows of options.json.
//
// An option's key is its name in camel case; that of --no-NAME is `name`. In a row `key` says another
// one, `keys` several of them, each with rules of its own; an argument has one where the library does.
// Rules are `choices`, `min` and `max` (a whole number), `powerOfTwo`, `pattern` and `maxBytes` (a
// text); `list` says that the one text of the command line is a list; `expected` says it in words.

const camelCase = (name) => name.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());

const rules = ["choices", "min", "max", "powerOfTwo", "pattern", "maxBytes", "expected"];

function ruleOf(row) {
  const isList = row.multiple || row.list;
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
export const isForCommandLine = ({ name, config }) => config === false || name === "json";

/** Of one row: the key and the row of each of its keys. */
export function keysOf(row) {
  if (row.keys) return Object.entries(row.keys);
  const negated = row.type === "boolean" && row.name.startsWith("no-");
  const key = row.key ?? camelCase(negated ? row.name.slice("no-".length) : row.name);
  return [[key, row]];
}

/** Rules of one command by key, with how a command line names it: `argument`, or `flag` and `value`. */
export function rulesOf({ options, arguments: positionals, rest }) {
  const named = [...positionals, ...(rest ? [{ ...rest, list: true }] : [])]
    .filter(({ key }) => key !== undefined)
    .map((row) => [row.key, { argument: row.name, ...ruleOf(row) }]);
  const flags = options
    .filter((row) => !isForCommandLine(row))
    .flatMap((row) =>
      keysOf(row).map(([key, own]) => {
        const { name, value, short } = row;
        const flag = { flag: `--${name}`, ...(value && { value }), ...(short && { short }) };
        return [key, { ...flag, ...ruleOf(own) }];
      }),
    );
  return Object.fromEntries([...named, ...flags]);
}

/** @returns {Record<string, Record<string, object>>} by command */
export function optionRules({ commands }) {
  return Object.fromEntries(commands.map((command) => [command.name, rulesOf(command)]));
}
