// Man pages from the option tables, for man(7) as groff and mandoc read it.

import { aliasCommand } from "./help.mjs";

/** @import {Argument, Command, OptionRow, Options, OwnOption, Spec} from "./types.mts" */

/** Longest line of text in the sources of a page. */
const WIDTH = 78;

/** Text as roff: nothing in it is a request or an escape of its own. */
function escaped(/** @type {string} */ text) {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replaceAll("'", "\\(aq")
    .replaceAll(/`([^`]*)`/g, "\\fB$1\\fR");
}

/** A paragraph in lines; a line that starts with a full stop would be a request. */
function prose(/** @type {string} */ text) {
  const lines = [];
  let line = "";
  for (const word of escaped(text).split(" ")) {
    if (line && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line].map((text) => text.replace(/^([.'])/, "\\&$1"));
}

/** A tagged paragraph: what on the left, what it does on the right. */
const tagged = (/** @type {string} */ left, /** @type {string} */ right) => [
  ".TP",
  left,
  ...prose(right),
];

const bold = (/** @type {string} */ text) => `\\fB${escaped(text)}\\fR`;
const italic = (/** @type {string} */ text) => `\\fI${escaped(text)}\\fR`;

function option(/** @type {OptionRow} */ { name, short, value, optionalValue, multiple, summary }) {
  const shown = value ? (optionalValue ? `\\fR[=${italic(value)}]` : `\\fR=${italic(value)}`) : "";
  const long = bold(`--${name}`) + shown;
  const again = multiple && !value?.endsWith("...") ? " ..." : "";
  const left = `${short ? `${bold(`-${short}`)}, ` : ""}${long}${again}`;
  return tagged(left, summary);
}

const argument = (/** @type {Argument} */ { name, summary }) => tagged(italic(name), summary);

const examples = (/** @type {string[]} */ lines) =>
  lines.length === 0
    ? []
    : [".PP", ".nf", ...lines.map((line) => `${escaped(line)}`.replace(/^([.'])/, "\\&$1")), ".fi"];

/**
 * @param {string} name
 * @param {string} summary
 * @param {Spec} spec
 * @param {[heading: string, lines: string[]][]} sections without those that have no lines
 */
function page(name, summary, { version, options }, sections) {
  // That of the tables, not of the build: a page says the same whenever it is made.
  const { date } = options.program;
  const title = name.toUpperCase().replaceAll("-", "\\-");
  const body = sections
    .filter(([, lines]) => lines.length > 0)
    .flatMap(([heading, lines]) => [`.SH ${heading}`, ...lines]);
  return `${[
    `.TH ${title} 1 ${date} "fuselage-bundle ${version}"`,
    ".SH NAME",
    `${escaped(name)} \\- ${escaped(summary.replace(/\.$/, ""))}`,
    ...body,
  ].join("\n")}\n`;
}

/** Usage lines, the program's name bold. */
function synopsis(/** @type {string} */ name, /** @type {string[]} */ usages) {
  return usages.flatMap((usage, index) => [
    ...(index === 0 ? [] : [".br"]),
    `${bold(name)} ${escaped(usage)}`,
  ]);
}

const paragraphs = (/** @type {string[]} */ texts) =>
  texts.flatMap((text, i) => [...(i === 0 ? [] : [".PP"]), ...prose(text)]);

const seeAlso = (/** @type {string[]} */ ...names) => [
  names.map((name) => `${bold(name)}(1)`).join(",\n"),
];

/** Variables whose scope is wanted. */
function environment(/** @type {Options} */ { environment }, /** @type {RegExp} */ wanted) {
  return environment
    .filter(({ scope }) => wanted.test(scope))
    .flatMap(({ name, scope, summary }) => tagged(bold(name), `${summary} (${scope}).`));
}

function exitStatus(/** @type {[status: string, meaning: string][]} */ rows) {
  return rows.flatMap(([status, meaning]) => tagged(bold(status), meaning));
}

const builderStatus = exitStatus([
  ["0", "All went well."],
  ["1", "A failure; its code is in the message."],
  ["2", "A wrong command line."],
]);

/** An option of the packed file itself. */
function ownOption(/** @type {OwnOption} */ { name, value, summary }) {
  return tagged(`${bold(name)}${value ? ` ${italic(value)}` : ""}`, summary);
}

function bundlePage(/** @type {Spec} */ spec) {
  const { program, global, commands, runtime, run, appimage } = spec.options;
  const command = (/** @type {Command} */ item) => [
    `.SS ${escaped(`${program.name} ${item.name}`)}`,
    ...synopsis(program.name, [`${item.name} ${item.usage}`]),
    ".PP",
    ...paragraphs([item.summary, ...item.details]),
    ...item.arguments.flatMap(argument),
    ...(item.rest ? argument(item.rest) : []),
    ...item.options.flatMap(option),
    ...examples(item.examples),
  ];
  return page(program.name, program.summary, spec, [
    ["SYNOPSIS", synopsis(program.name, ["COMMAND [ARGUMENT]..."])],
    ["DESCRIPTION", prose(program.summary)],
    ["OPTIONS", global.flatMap(option)],
    ["COMMANDS", commands.flatMap(command)],
    [
      "OPTIONS OF A BUNDLE",
      [
        ...prose(
          "They count only as the first argument of a bundle. --bundle-extract takes --set-id, --devices, --owners and --privileged-xattrs, as bundle extract does.",
        ),
        ...runtime.flatMap(ownOption),
      ],
    ],
    [
      "OPTIONS OF A START WITH THE IMAGE AS ROOT",
      [
        ...synopsis("./app.run", [`${run.name} ${run.usage}`]),
        ".PP",
        ...paragraphs([run.summary, ...run.details]),
        ...run.options.flatMap(option),
        ...examples(run.examples),
      ],
    ],
    [
      "OPTIONS OF AN APPIMAGE",
      [
        ...prose("They count only as the first argument of a file that is an AppImage."),
        ...appimage.flatMap(ownOption),
      ],
    ],
    ["ENVIRONMENT", environment(spec.options, /./)],
    ["EXIT STATUS", builderStatus],
    ["SEE ALSO", seeAlso("fuselage", "fuselage-bundle")],
  ]);
}

function aliasPage(/** @type {Spec} */ spec) {
  const { alias, global } = spec.options;
  const command = aliasCommand(spec.options);
  return page(alias.name, command.summary, spec, [
    ["SYNOPSIS", synopsis(alias.name, [command.usage])],
    ["DESCRIPTION", paragraphs([command.summary, ...command.details, alias.summary])],
    ["ARGUMENTS", command.rest ? argument(command.rest) : []],
    ["OPTIONS", [...command.options, ...global].flatMap(option)],
    ["EXIT STATUS", builderStatus],
    ["EXAMPLES", examples(alias.examples).slice(1)],
    ["SEE ALSO", seeAlso("bundle", "fuselage")],
  ]);
}

function runnerPage(/** @type {Spec} */ spec) {
  const { runner } = spec.options;
  return page(runner.name, runner.summary, spec, [
    ["SYNOPSIS", synopsis(runner.name, runner.usages)],
    ["DESCRIPTION", paragraphs([runner.summary, ...runner.details])],
    ["OPTIONS", runner.options.flatMap(option)],
    ["ENVIRONMENT", environment(spec.options, /`fuselage`|for the app/)],
    [
      "EXIT STATUS",
      exitStatus([
        ["125", "A failure of fuselage itself; its code is in the message."],
        ["126", "The command cannot be executed."],
        ["127", "The command was not found."],
        ["other", "That of the command, which takes the place of this process."],
      ]),
    ],
    ["EXAMPLES", examples(runner.examples).slice(1)],
    ["SEE ALSO", seeAlso("bundle", "fuselage-bundle")],
  ]);
}

/**
 * Pages by the name of their file.
 *
 * @param {Spec} spec what `readSpec` returns
 * @returns {Record<string, string>}
 */
export function manPages(spec) {
  return {
    "bundle.1": bundlePage(spec),
    "fuselage.1": runnerPage(spec),
    "fuselage-bundle.1": aliasPage(spec),
  };
}
