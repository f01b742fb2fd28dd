// Completions for bash, zsh and fish from the option tables: one file a shell for all commands.

import { aliasCommand } from "./help.mjs";

/** @import {Argument, Command, OptionRow, Options} from "./types.mts" */

/**
 * What takes options and arguments: a command of `bundle`, or a program.
 * @typedef {{options: OptionRow[], arguments?: Argument[], rest?: Argument}} Taker
 */

/** Every program: its options, and its commands where it has any. */
function programs(/** @type {Options} */ { program, global, commands, runner, ...options }) {
  const help = global.filter(({ name }) => name === "help");
  const named = (/** @type {Command} */ command, /** @type {OptionRow[]} */ more) => ({
    ...command,
    options: [...command.options, ...more],
  });
  const alias = aliasCommand({ commands, ...options });
  // The global options are words as well: `bundle help [COMMAND]` and `bundle version`.
  const choices = commands.map(({ name }) => name);
  const words = global.map(({ name, summary }) => ({
    name,
    summary,
    options: name === "help" ? help : [],
    arguments: name === "help" ? [{ name: "COMMAND", summary: "", choices }] : [],
  }));
  return {
    bundle: {
      name: program.name,
      global,
      commands: [...commands.map((one) => named(one, help)), ...words],
    },
    alias: named(alias, global),
    runner,
  };
}

/** What an option is called on a command line: --name, and -n where there is one. */
const spellings = (/** @type {OptionRow} */ { name, short }) => [
  `--${name}`,
  ...(short ? [`-${short}`] : []),
];

/** What a value is: a folder, a file, or something that only its writer knows. */
function valueKind(/** @type {{value?: string}} */ { value = "" }) {
  if (value === "DIR") return "folder";
  return /FILE|OUT$/.test(value) ? "file" : "text";
}

const bash = {
  /** Cases that answer for the value of an option. */
  values(/** @type {OptionRow[]} */ options) {
    return options
      .filter(({ type }) => type === "string")
      .map((option) => {
        const pattern = spellings(option).join("|");
        if (option.choices) return `${pattern}) _fuselage_words "${option.choices.join(" ")}" ;;`;
        const kind = valueKind(option);
        if (kind === "folder")
          return `${pattern}) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;`;
        return `${pattern}) ${kind === "file" ? 'mapfile -t COMPREPLY < <(compgen -f -- "$cur")' : ":"} ;;`;
      });
  },

  /** Body of a case: the value of `prev`, else options, else what the shell offers itself. */
  command(/** @type {Taker} */ { options, arguments: given = [] }) {
    const choices = given.find((argument) => argument.choices)?.choices;
    const words = choices ? `_fuselage_words "${choices.join(" ")}"` : ":";
    return [
      'case "$prev" in',
      ...bash.values(options).map((line) => `\t${line}`),
      "*)",
      `\tif [[ "$cur" == -* ]]; then _fuselage_words "${options.flatMap(spellings).join(" ")}"`,
      `\telse ${words}; fi`,
      "\t;;",
      "esac",
    ];
  },
};

const indent = (/** @type {string[]} */ lines, /** @type {number} */ depth) =>
  lines.map((line) => `${"\t".repeat(depth)}${line}`);

function bashCompletions(/** @type {Options} */ options) {
  const { bundle, alias, runner } = programs(options);
  const names = bundle.commands.map(({ name }) => name).join(" ");
  return `${[
    "# Completions of bundle, fuselage-bundle and fuselage for bash.",
    "",
    "_fuselage_words() {",
    '\tmapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")',
    "}",
    "",
    "# Sets cur and prev; bash takes --opt=VALUE for three words.",
    "_fuselage_here() {",
    '\tcur="${COMP_WORDS[COMP_CWORD]}"',
    '\tprev="${COMP_WORDS[COMP_CWORD - 1]}"',
    '\tif [[ "$cur" == "=" ]]; then cur=""',
    '\telif [[ "$prev" == "=" ]]; then prev="${COMP_WORDS[COMP_CWORD - 2]}"; fi',
    "\tCOMPREPLY=()",
    "}",
    "",
    "# Whether -- stands before the cursor: what follows is somebody else's.",
    "_fuselage_ended() {",
    "\tlocal i",
    "\tfor ((i = 1; i < COMP_CWORD; i++)); do",
    '\t\t[[ "${COMP_WORDS[i]}" == "--" ]] && return 0',
    "\tdone",
    "\treturn 1",
    "}",
    "",
    "_bundle() {",
    "\tlocal cur prev",
    "\t_fuselage_here",
    "\t_fuselage_ended && return",
    "\tif ((COMP_CWORD == 1)); then",
    `\t\t_fuselage_words "${names} ${bundle.global.flatMap(spellings).join(" ")}"`,
    "\t\treturn",
    "\tfi",
    '\tcase "${COMP_WORDS[1]}" in',
    ...bundle.commands.flatMap((command) => [
      `\t${command.name})`,
      ...indent(bash.command(command), 2),
      "\t\t;;",
    ]),
    "\tesac",
    "}",
    "",
    "_fuselage_bundle() {",
    "\tlocal cur prev",
    "\t_fuselage_here",
    "\t_fuselage_ended && return",
    ...indent(bash.command(alias), 1),
    "}",
    "",
    "_fuselage() {",
    "\tlocal cur prev",
    "\t_fuselage_here",
    '\tif _fuselage_ended; then mapfile -t COMPREPLY < <(compgen -c -- "$cur"); return; fi',
    ...indent(bash.command(runner), 1),
    "}",
    "",
    "complete -o default -F _bundle bundle",
    "complete -o default -F _fuselage_bundle fuselage-bundle",
    "complete -o default -F _fuselage fuselage",
  ].join("\n")}\n`;
}

/** A text inside '...' of zsh and in the brackets of _arguments. */
const zshText = (/** @type {string} */ text) =>
  text.replaceAll(/[[\]:\\]/g, (char) => `\\${char}`).replaceAll("'", "'\\''");

function zshAction(/** @type {{name: string, value?: string, choices?: string[]}} */ item) {
  if (item.choices) return `(${item.choices.join(" ")})`;
  const kind = valueKind({ value: item.value ?? item.name });
  return kind === "folder" ? "_files -/" : kind === "file" ? "_files" : " ";
}

function zshOption(/** @type {OptionRow} */ item) {
  const { name, short, type, value = "", multiple, summary } = item;
  const text = `[${zshText(summary)}]`;
  const given = type === "string" ? `:${zshText(value)}:${zshAction(item)}` : "";
  const long = `--${name}${type === "string" ? "=" : ""}`;
  const spelled = [long, ...(short ? [`-${short}`] : [])];
  const others = multiple || spelled.length === 1 ? "" : `(--${name} -${short})`;
  return spelled.map((one) => `'${multiple ? "*" : others}${one}${text}${given}'`);
}

/** A call of _arguments for a command, with `tail` for what follows its arguments. */
function zshArguments(
  /** @type {Taker} */ { options, arguments: given = [], rest },
  /** @type {string[]} */ tail = [],
) {
  const positional = given.map((item) => `':${item.name}:${zshAction(item)}'`);
  const more = rest ? [`'*::${rest.name}:_files'`] : tail;
  return `_arguments -s -S ${[...options.flatMap(zshOption), ...positional, ...more].join(" \\\n    ")}`;
}

function zshCompletions(/** @type {Options} */ options) {
  const { bundle, alias, runner } = programs(options);
  const commands = bundle.commands.map(
    ({ name, summary }) =>
      `    '${name}:${summary.replaceAll("'", "'\\''").replaceAll(":", "\\:")}'`,
  );
  return `${[
    "#compdef bundle fuselage-bundle fuselage",
    "# Completions of bundle, fuselage-bundle and fuselage for zsh.",
    "",
    "_fuselage_bundle_commands() {",
    "  local -a commands=(",
    ...commands,
    "  )",
    "  _describe command commands",
    "}",
    "",
    "_bundle_command() {",
    "  case $words[1] in",
    ...bundle.commands.flatMap((command) => [
      `  ${command.name})`,
      `    ${zshArguments(command)} ;;`,
    ]),
    "  esac",
    "}",
    "",
    "_bundle_program() {",
    `  _arguments ${bundle.global.flatMap(zshOption).join(" ")} \\`,
    "    '1:command:_fuselage_bundle_commands' '*::argument:_bundle_command'",
    "}",
    "",
    "case $service in",
    "fuselage-bundle)",
    `  ${zshArguments(alias)} ;;`,
    "fuselage)",
    `  ${zshArguments(runner, ["'*::command:_normal'"])} ;;`,
    "*)",
    "  _bundle_program ;;",
    "esac",
  ].join("\n")}\n`;
}

const fishText = (/** @type {string} */ text) =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function fishOption(
  /** @type {string} */ program,
  /** @type {string} */ condition,
  /** @type {OptionRow} */ item,
) {
  const { name, short, type, summary } = item;
  const value = item.choices
    ? ` -x -a ${fishText(item.choices.join(" "))}`
    : { folder: " -x -a '(__fish_complete_directories)'", file: " -r -F", text: " -x" }[
        valueKind(item)
      ];
  return [
    `complete -c ${program}`,
    ...(condition ? [`-n ${fishText(condition)}`] : []),
    `-l ${name}`,
    ...(short ? [`-s ${short}`] : []),
    `-d ${fishText(summary)}${type === "string" ? value : ""}`,
  ].join(" ");
}

function fishCompletions(/** @type {Options} */ options) {
  const { bundle, alias, runner } = programs(options);
  const none = "__fish_use_subcommand";
  return `${[
    "# Completions of bundle, fuselage-bundle and fuselage for fish.",
    "",
    ...bundle.global.map((item) => fishOption(bundle.name, none, item)),
    ...bundle.commands.flatMap(({ name, summary, options, arguments: given }) => {
      const inside = `__fish_seen_subcommand_from ${name}`;
      const choices = given.flatMap((argument) => argument.choices ?? []);
      return [
        `complete -c ${bundle.name} -n ${none} -f -a ${name} -d ${fishText(summary)}`,
        ...(choices.length > 0
          ? [`complete -c ${bundle.name} -n '${inside}' -f -a ${fishText(choices.join(" "))}`]
          : []),
        ...options.map((item) => fishOption(bundle.name, inside, item)),
      ];
    }),
    ...alias.options.map((item) => fishOption(alias.name, "", item)),
    ...runner.options.map((item) => fishOption(runner.name, "", item)),
  ].join("\n")}\n`;
}

/**
 * Completions by the name of their file.
 *
 * @param {Options} options the tables of options.json
 * @returns {Record<string, string>}
 */
export function completions(options) {
  return {
    "bundle.bash": bashCompletions(options),
    _bundle: zshCompletions(options),
    "bundle.fish": fishCompletions(options),
  };
}
