/** Command line → values, by the tables of scripts/spec/options.json. */
import { parseArgs } from "node:util";
import { nearest } from "../config/nearest-name.ts";
import * as errors from "../errors.ts";
import { alias, commands, globalOptions } from "../generated/spec.ts";

export type CommandName = (typeof commands)[number]["name"];

interface CommandSpec {
  readonly name: CommandName;
  readonly usage: string;
  readonly arguments: readonly {
    readonly name: string;
    readonly optional?: boolean;
    /** The last one may stand several times. */
    readonly multiple?: boolean;
  }[];
  /** What stands behind `--`, which such a command needs unless it is optional. */
  readonly rest?: { readonly name: string; readonly optional?: boolean };
  readonly options: readonly OptionSpec[];
}

interface OptionSpec {
  readonly name: string;
  readonly short?: string;
  readonly type: "string" | "boolean";
  readonly value?: string;
  /** A boolean that may have a value too: --name=VALUE. */
  readonly optionalValue?: boolean;
  /** Its values are options, so one that looks like that is meant. */
  readonly takesOptions?: boolean;
  readonly multiple?: boolean;
  readonly required?: boolean;
  readonly summary: string;
}

/** What was given to a command. */
export class Arguments {
  readonly positionals: readonly string[];
  /** What stands behind `--`; undefined without one. */
  readonly rest: readonly string[] | undefined;
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(
    positionals: readonly string[],
    values: ReadonlyMap<string, readonly string[]>,
    rest?: readonly string[],
  ) {
    this.positionals = positionals;
    this.rest = rest;
    this.#values = values;
  }

  flag(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  list(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

/** What the command line asks for. */
export type Request =
  | { kind: "version" }
  | { kind: "help"; command: CommandName | undefined }
  | { kind: "run"; command: CommandName; args: Arguments };

/**
 * Reads a command line.
 *
 * @throws E_COMMAND_UNKNOWN, E_OPTION_UNKNOWN, E_OPTION_VALUE, E_OPTION_MISSING,
 *   E_OPTION_CONFLICT, E_ARGUMENT
 */
export function parseCommandLine(argv: readonly string[]): Request {
  const [first, ...rest] = argv;
  if (first === undefined) {
    const hint = "`bundle --help` lists the commands.";
    throw errors.argument("no command was given", "bundle COMMAND", hint);
  }
  if (first.startsWith("-")) {
    const { args, problem } = parseOptions(
      [first],
      globalOptions,
      "`bundle --help` lists the commands and options.",
    );
    if (problem !== undefined) throw problem;
    return args.flag("version") ? { kind: "version" } : { kind: "help", command: undefined };
  }
  // As git, npm and cargo take them.
  if (first === "help") return parseHelp(rest);
  if (first === "version") {
    if (rest.length > 0) throw errors.argument(`version takes no "${rest[0]}"`, "bundle version");
    return { kind: "version" };
  }
  const command = knownCommand(first);
  return parseCommand(command, rest, `bundle ${command.name}`);
}

function parseHelp([name, ...rest]: readonly string[]): Request {
  if (rest.length > 0) {
    throw errors.argument("help takes one command at the most", "bundle help [COMMAND]");
  }
  // `bundle help help` and `bundle help --help` ask for help with help.
  const command = name === undefined || /^(help|-h|--help)$/.test(name) ? undefined : name;
  return { kind: "help", command: command === undefined ? undefined : knownCommand(command).name };
}

function knownCommand(name: string): CommandSpec {
  const command = commandSpec(name);
  if (command !== undefined) return command;
  const names = [...commands, ...globalOptions].map(({ name }) => name);
  throw errors.commandUnknown(name, nearest(name, names));
}

/**
 * Reads a command line of `fuselage-bundle`, which is one command under a name of its own.
 *
 * @throws as `parseCommandLine`
 */
export function parseAlias(argv: readonly string[]): Request {
  const command = commandSpec(alias.command) as CommandSpec;
  return parseCommand(command, argv, alias.name, globalOptions);
}

function commandSpec(wanted: string): CommandSpec | undefined {
  const specs: readonly CommandSpec[] = commands;
  return specs.find(({ name }) => name === wanted);
}

function parseCommand(
  command: CommandSpec,
  argv: readonly string[],
  title: string,
  more: readonly OptionSpec[] = globalOptions.filter(({ name }) => name === "help"),
): Request {
  const options = [...command.options, ...more];
  const usage = `It is ${title} ${command.usage}; \`${title} --help\` lists the options.`;
  // Help answers also what is otherwise wrong with the line, that is what it is asked for.
  const { args, problem } = parseOptions(argv, options, usage, command.rest !== undefined);
  if (args.flag("help")) return { kind: "help", command: command.name };
  const hasVersion = options.some(({ name }) => name === "version");
  if (hasVersion && args.flag("version")) return { kind: "version" };
  if (problem !== undefined) throw problem;
  checkRequired(args, options);
  const lonelyValue = valueWithoutSign(argv, options);
  checkCount(args, command, { usage: `${title} ${command.usage}`, lonelyValue });
  return { kind: "run", command: command.name, args };
}

function parseOptions(
  argv: readonly string[],
  specs: readonly OptionSpec[],
  usage: string,
  takesRest = false,
): { args: Arguments; problem: Error | undefined } {
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      specs.map(({ name, short, type }) => [name, { type, ...(short && { short }) }]),
    ),
  });
  const positionals: string[] = [];
  const values = new Map<string, string[]>();
  let problem: Error | undefined;
  let rest: readonly string[] | undefined;
  for (const token of tokens) {
    if (takesRest && token.kind === "option-terminator") {
      rest = argv.slice(token.index + 1);
      break;
    }
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const spec = specs.find(({ name }) => name === token.name);
    problem ??= optionProblem(token, spec, specs, values.has(token.name), usage);
    const value = token.value ?? "";
    values.set(token.name, [...(values.get(token.name) ?? []), value]);
    if (token.inlineValue && value === "" && spec?.optionalValue) {
      problem ??= errors.optionValue(token.rawName, `${spec.value}, or no =`, "nothing");
    }
  }
  return { args: new Arguments(positionals, values, rest), problem };
}

function optionProblem(
  token: {
    name: string;
    rawName: string;
    value?: string | undefined;
    inlineValue?: boolean | undefined;
  },
  spec: OptionSpec | undefined,
  specs: readonly OptionSpec[],
  seen: boolean,
  usage: string,
): Error | undefined {
  const { rawName, value } = token;
  if (spec === undefined) {
    const close = nearest(
      token.name,
      specs.map(({ name }) => name),
    );
    return errors.optionUnknown(rawName, close && `--${close}`, `${ownersOf(token.name)}${usage}`);
  }
  if (seen && !spec.multiple && spec.type === "string") {
    return errors.optionConflict(`${rawName} was given twice`);
  }
  if (spec.type === "boolean") {
    if (value === undefined || spec.optionalValue) return undefined;
    return errors.optionValue(rawName, "no value", `"${value}"`);
  }
  if (value === undefined) return errors.optionValue(rawName, `${spec.value}`, "nothing");
  const looksLikeOption = value.length > 1 && value.startsWith("-");
  if (!token.inlineValue && looksLikeOption && !spec.takesOptions) {
    const expected = `${spec.value} (write --${spec.name}=${value} if that is meant)`;
    return errors.optionValue(rawName, expected, `the option-like "${value}"`);
  }
  return undefined;
}

/** Which other commands have an option, as the beginning of a hint. */
function ownersOf(option: string): string {
  const all: readonly CommandSpec[] = commands;
  const owners = all.filter(({ options }) => options.some(({ name }) => name === option));
  const names = owners.map(({ name }) => `\`bundle ${name}\``);
  return names.length === 0 ? "" : `It is an option of ${names.join(", ")}. `;
}

function checkRequired(args: Arguments, options: readonly OptionSpec[]): void {
  for (const { name, short, value, required, summary } of options) {
    if (!required || args.flag(name)) continue;
    throw errors.optionMissing(`${short ? `-${short}` : `--${name}`} ${value}`, summary);
  }
}

/** What to write in the place of a value that stands behind a blank where only = leads to one. */
function valueWithoutSign(
  argv: readonly string[],
  options: readonly OptionSpec[],
): string | undefined {
  for (const [index, word] of argv.entries()) {
    const spec = options.find(({ name, optionalValue }) => optionalValue && word === `--${name}`);
    const value = argv[index + 1];
    if (word === "--" || value === undefined) return undefined;
    if (spec !== undefined && !value.startsWith("-")) {
      return `A value of ${word} stands behind =: ${word}=${value}`;
    }
  }
  return undefined;
}

function checkCount(
  args: Arguments,
  command: CommandSpec,
  { usage, lonelyValue }: { usage: string; lonelyValue: string | undefined },
): void {
  const { positionals, rest } = args;
  const empty = positionals.indexOf("");
  if (empty >= 0) {
    const name = (command.arguments[empty] ?? command.arguments.at(-1))?.name ?? "an argument";
    const hint = "No name is empty: a variable of the shell may have no value.";
    throw errors.argument(`${name} is empty`, usage, hint);
  }
  const missing = command.arguments[positionals.length];
  if (missing !== undefined && !missing.optional) {
    throw errors.argument(`${missing.name} is missing`, usage);
  }
  // With more than one argument nothing tells whether the word is another one or the option's value.
  if (command.arguments.at(-1)?.multiple && positionals.length > 1 && lonelyValue !== undefined) {
    const hint = `${lonelyValue}. Arguments stand in front of such an option.`;
    throw errors.argument("an argument or a value stands behind an option", usage, hint);
  }
  const surplus = positionals[command.arguments.length];
  if (surplus !== undefined && !command.arguments.at(-1)?.multiple) {
    const hint = lonelyValue ?? (command.rest && `${command.rest.name} stands behind --.`);
    throw errors.argument(`"${surplus}" is one argument too many`, usage, hint);
  }
  if (command.rest !== undefined && !command.rest.optional && (rest ?? []).length === 0) {
    throw errors.argument(`-- and ${command.rest.name} behind it are missing`, usage);
  }
}
