// Help texts from the option tables: the same text for --help, docs/cli.md and the runtime.

/** @import {Command, OptionRow, Options, OwnOption} from "./types.mts" */

const WIDTH = 80;

/** Breaks text at spaces so that no line is longer than `width`; words are never cut. */
function wrap(/** @type {string} */ text, /** @type {number} */ width) {
  const lines = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line];
}

/**
 * Two columns; a left side that is too wide gets a line of its own.
 * @param {[left: string, right: string][]} rows
 * @param {number} width of the left one
 */
function columns(rows, width) {
  return rows.flatMap(([left, right]) => {
    const lines = wrap(right, WIDTH - width);
    const first = left.length + 2 > width ? [left] : [];
    const start = first.length > 0 ? "" : left;
    return [
      ...first,
      ...lines.map((line, index) => (index === 0 ? start : "").padEnd(width) + line),
    ];
  });
}

/** @param {OptionRow} row @returns {[left: string, right: string]} */
function optionRow({ name, short, value, optionalValue, multiple, summary }) {
  const shown = optionalValue ? `[=${value}]` : value ? ` ${value}` : "";
  const again = multiple && !shown.endsWith("...") ? "..." : "";
  const long = `--${name}${shown}${again}`;
  return [`  ${short ? `-${short},` : "   "} ${long}`, summary];
}

/** `bundle --help`. */
export function programHelp(/** @type {Options} */ { program, global, commands }) {
  return `${[
    `Usage: ${program.name} COMMAND [ARGUMENT]...`,
    "",
    program.summary,
    "",
    "Commands:",
    ...columns(
      commands.map(({ name, summary }) => [`  ${name}`, summary]),
      15,
    ),
    "",
    "Options:",
    ...columns(global.map(optionRow), 22),
    "",
    `\`${program.name} help COMMAND\` or \`${program.name} COMMAND --help\` says more about one command.`,
  ].join("\n")}\n`;
}

/** `bundle COMMAND --help`. */
export function commandHelp(
  /** @type {Options} */ { program, global },
  /** @type {Command} */ command,
) {
  const help = global.filter(({ name }) => name === "help");
  return helpOf(`${program.name} ${command.name}`, command, help);
}

/** The row of a command. */
export function commandNamed(/** @type {string} */ name, /** @type {Command[]} */ commands) {
  const found = commands.find((command) => command.name === name);
  if (found === undefined) throw new Error(`options.json: there is no command ${name}`);
  return found;
}

/** A command under a name of its own: what the command takes, with the alias's examples. */
export function aliasCommand(
  /** @type {Pick<Options, "alias" | "commands">} */ { alias, commands },
) {
  const command = commandNamed(alias.command, commands);
  return { ...command, name: alias.name, examples: alias.examples };
}

/** `fuselage-bundle --help`. */
export function aliasHelp(/** @type {Options} */ options) {
  return helpOf(options.alias.name, aliasCommand(options), options.global);
}

/**
 * @param {string} name how it is started
 * @param {Command} command
 * @param {OptionRow[]} more options that are not its own
 */
function helpOf(name, command, more) {
  const section = (/** @type {string} */ title, /** @type {string[]} */ lines) =>
    lines.length > 0 ? ["", title, ...lines] : [];
  const positionals = [...command.arguments, ...(command.rest ? [command.rest] : [])];
  return `${[
    `Usage: ${name} ${command.usage}`,
    "",
    ...wrap(command.summary, WIDTH),
    ...command.details.flatMap((detail) => wrap(detail, WIDTH)),
    ...section(
      "Arguments:",
      columns(
        positionals.map(({ name, summary }) => [`  ${name}`, summary]),
        command.rest ? 16 : 12,
      ),
    ),
    ...section("Options:", columns([...command.options, ...more].map(optionRow), 30)),
    ...section(
      "Examples:",
      command.examples.map((example) => `  ${example}`),
    ),
  ].join("\n")}\n`;
}

/** `fuselage --help`. */
export function runnerHelp(/** @type {Options} */ { runner }) {
  return `${[
    ...runner.usages.map((usage, i) => `${i === 0 ? "Usage:" : "      "} ${runner.name} ${usage}`),
    "",
    ...wrap(runner.summary, WIDTH),
    "",
    ...runner.details.flatMap((detail) => wrap(detail, WIDTH)),
    "",
    "Options:",
    ...columns(runner.options.map(optionRow), 30),
    "",
    "Examples:",
    ...runner.examples.map((example) => `  ${example}`),
  ].join("\n")}\n`;
}

/** `./app.run --bundle-run --help`. */
export function runHelp(/** @type {Options} */ { run }) {
  return `${[
    `Usage: ./app.run ${run.name} ${run.usage}`,
    "",
    ...[run.summary, ...run.details].flatMap((text) => [...wrap(text, WIDTH), ""]),
    "Options:",
    ...columns(run.options.map(optionRow), 30),
    "",
    "Examples:",
    ...run.examples.map((example) => `  ${example}`),
  ].join("\n")}\n`;
}

/** The options that a bundle itself takes. */
export function runtimeHelp(/** @type {Options} */ { runtime }) {
  return ownOptions(runtime);
}

/** The options that an AppImage takes besides. */
export function appimageHelp(/** @type {Options} */ { appimage }) {
  return ownOptions(appimage);
}

function ownOptions(/** @type {OwnOption[]} */ options) {
  return `${columns(
    options.map(({ name, value, summary }) => [`  ${name}${value ? ` ${value}` : ""}`, summary]),
    28,
  ).join("\n")}\n`;
}
