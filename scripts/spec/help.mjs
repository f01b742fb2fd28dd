// Help texts from the option tables: the same text for --help, docs/cli.md and the runtime.

const WIDTH = 80;

/** Breaks text at spaces so that no line is longer than `width`; words are never cut. */
function wrap(text, width) {
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

/** Two columns; a left side that is too wide gets a line of its own. */
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

function optionRow({ name, short, value, multiple, summary }) {
  const long = `--${name}${value ? ` ${value}` : ""}${multiple ? "..." : ""}`;
  return [`  ${short ? `-${short},` : "   "} ${long}`, summary];
}

/** `bundle --help`. */
export function programHelp({ program, global, commands }) {
  return `${[
    `Usage: ${program.name} COMMAND [ARGUMENT]...`,
    "",
    program.summary,
    "",
    "Commands:",
    ...columns(
      commands.map(({ name, summary }) => [`  ${name}`, summary]),
      12,
    ),
    "",
    "Options:",
    ...columns(global.map(optionRow), 22),
    "",
    `\`${program.name} COMMAND --help\` says more about one command.`,
  ].join("\n")}\n`;
}

/** `bundle COMMAND --help`. */
export function commandHelp({ program, global }, command) {
  const help = global.filter(({ name }) => name === "help");
  const section = (title, lines) => (lines.length > 0 ? ["", title, ...lines] : []);
  return `${[
    `Usage: ${program.name} ${command.name} ${command.usage}`,
    "",
    ...wrap(command.summary, WIDTH),
    ...command.details.flatMap((detail) => wrap(detail, WIDTH)),
    ...section(
      "Arguments:",
      columns(
        command.arguments.map(({ name, summary }) => [`  ${name}`, summary]),
        12,
      ),
    ),
    ...section("Options:", columns([...command.options, ...help].map(optionRow), 30)),
    ...section(
      "Examples:",
      command.examples.map((example) => `  ${example}`),
    ),
  ].join("\n")}\n`;
}

/** The options that a bundle itself takes. */
export function runtimeHelp({ runtime }) {
  return `${columns(
    runtime.map(({ name, value, summary }) => [`  ${name}${value ? ` ${value}` : ""}`, summary]),
    28,
  ).join("\n")}\n`;
}
