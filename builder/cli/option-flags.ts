/** Names of options on a command line, where the library has their keys. */
import type { OptionNames } from "../errors.ts";
import { alias, commands, optionRules } from "../generated/spec.ts";

interface Named {
  /** "--threads" */
  readonly flag?: string;
  /** "APP", of what has no flag. */
  readonly argument?: string;
}

const rules: Readonly<Record<string, Readonly<Record<string, Named>>>> = optionRules;

/** What the library calls `key`, in this command; one that only others have is named as there. */
function find(command: string, key: string): Named | undefined {
  const tables = [rules[command] ?? {}, ...Object.values(rules)];
  return tables.find((table) => Object.hasOwn(table, key))?.[key];
}

/** Options that the library does not have: `--config` names a file for its `loadConfig`. */
function onlyHere(key: string): Named {
  const isOption = commands.some(({ options }) => options.some(({ name }) => name === key));
  return isOption ? { flag: `--${key}` } : {};
}

/**
 * The names for the command that a line starts with.
 *
 * @param argv without the program @param program "bundle" or its alias
 */
export function flagNames(argv: readonly string[], program: string): OptionNames {
  const command = program === alias.name ? alias.command : (argv[0] ?? "");
  return (key, value) => {
    const { flag, argument } = find(command, key) ?? onlyHere(key);
    const name = flag ?? argument ?? key;
    return typeof value === "string" ? `${name} ${value}` : name;
  };
}

/**
 * The command that a line is of, as it is asked for help: "bundle build"; undefined: none was named.
 *
 * @param argv without the program @param program "bundle" or its alias
 */
export function calledCommand(argv: readonly string[], program: string): string | undefined {
  if (program === alias.name) return program;
  const command = commands.find(({ name }) => name === argv[0]);
  return command && `${program} ${command.name}`;
}
