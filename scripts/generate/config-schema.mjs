// JSON schema of bundle.config.*, from the options of `bundle build`.
//
// An option's key is its name in camel case; that of --no-NAME is `name`. In options.json `key` says
// another one, `schema` the values where they are not the command line's, `keys` several of them (with
// `values` where they are the row's `choices` or `levels`),
// `path` that a value is a path ("slash": when it has a slash), and `config: false` that an option
// is for the command line alone.

const camelCase = (name) => name.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());

/** Every power of two in a range. */
function powers(min, max) {
  return min > max ? [] : [min, ...powers(2 * min, max)];
}

/** The schema of one value, from what its row says of it. */
function valueSchema({ min, max, powerOfTwo, pattern, choices }, otherwise) {
  if (powerOfTwo) return { type: "integer", enum: powers(min, max) };
  if (min !== undefined) return { type: "integer", minimum: min, maximum: max };
  if (pattern !== undefined) return { type: "string", pattern };
  return choices ? { type: "string", enum: choices } : otherwise;
}

function schemaOf(option) {
  if (option.schema) return option.schema;
  if (option.type === "boolean") return { type: "boolean" };
  if (option.multiple) return { type: "array", items: valueSchema(option, { type: "string" }) };
  return valueSchema(option, { type: "string", minLength: 1 });
}

/** The schema of one key of several: as it stands there, or of the row's choices or levels. */
function keySchema({ values, ...schema }, option) {
  if (values === undefined) return schema;
  if (values === "choices") return { ...schema, ...valueSchema({ choices: option.choices }) };
  const levels = Object.values(option.levels);
  return {
    ...schema,
    type: "integer",
    minimum: Math.min(...levels.map(({ min }) => min)),
    maximum: Math.max(...levels.map(({ max }) => max)),
  };
}

/** Keys in order of the options: `[key, schema, path]`. */
function entriesOf(option) {
  if (option.config === false) return [];
  const summary = option.summary.replace(/; write --arg.*$/, "");
  if (option.keys) {
    return Object.entries(option.keys).map(([key, schema]) => [
      key,
      { description: schema.description ?? summary, ...keySchema(schema, option) },
    ]);
  }
  const { type, name } = option;
  const negated = type === "boolean" && name.startsWith("no-");
  const key = option.key ?? camelCase(negated ? name.slice("no-".length) : name);
  const description = negated ? `false: ${summary}` : summary;
  return [[key, { description, ...schemaOf(option) }, option.path]];
}

/** @returns {{properties: Record<string, object>, paths: Record<string, true | "slash">}} */
export function configKeys({ commands }) {
  const { options, arguments: positionals } = commands.find(({ name }) => name === "build");
  const input = { description: positionals[0].summary, type: "string", minLength: 1 };
  const entries = [["input", input, true], ...options.flatMap(entriesOf)];
  return {
    properties: Object.fromEntries(entries.map(([key, schema]) => [key, schema])),
    paths: Object.fromEntries(
      entries.filter(([, , path]) => path).map(([key, , path]) => [key, path]),
    ),
  };
}

export function configSchema(options) {
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
