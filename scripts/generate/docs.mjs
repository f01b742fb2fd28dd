// The tables and texts in docs/ that stand between marks in hand-written pages.

import { readFileSync } from "node:fs";
import path from "node:path";
import { configKeys } from "./config-schema.mjs";
import { floorTables } from "./floors.mjs";
import { guestTables } from "./guest.mjs";
import {
  aliasHelp,
  appimageHelp,
  commandHelp,
  programHelp,
  runHelp,
  runnerHelp,
  runtimeHelp,
} from "./help.mjs";
import { ownLoaderTable } from "./own-loader.mjs";
import { defaultExit, root } from "./spec.mjs";

/** @import {Schema, Spec} from "./types.mts" */

function errorTable(/** @type {Spec} */ { errors }) {
  const rows = errors.map(({ code, raisedBy, exit, summary, hint }) => {
    const status = raisedBy.map((who) => exit?.[who] ?? defaultExit[who]).join(", ");
    return `| \`${code}\` | ${raisedBy.join(", ")} | ${status} | ${summary} | ${hint} |`;
  });
  const head = "| code | raised by | exit status | what happened | what to do |";
  return [head, "|---|---|---|---|---|", ...rows].join("\n");
}

function warningTable(/** @type {Spec} */ { warnings }) {
  const rows = warnings.map(({ code, summary, hint }) => `| \`${code}\` | ${summary} | ${hint} |`);
  return ["| code | what it is | what to do |", "|---|---|---|", ...rows].join("\n");
}

function tagTable(/** @type {Spec} */ { manifest }) {
  const yes = (/** @type {boolean} */ value) => (value ? "yes" : "no");
  const rows = manifest.tags.map(
    ({ value, name, critical, repeated, summary }) =>
      `| ${value} | ${name} | ${yes(critical)} | ${yes(repeated)} | ${summary} |`,
  );
  const head = "| tag | name | critical | repeated | value |";
  return [head, "|---|---|---|---|---|", ...rows].join("\n");
}

function libraryTables(/** @type {Spec} */ { hostLibraries, openedLibraries }) {
  const names = (/** @type {string[]} */ list) => list.map((name) => `\`${name}\``).join(", ");
  const targets = hostLibraries.map((row) => `| ${names(row.names)} | ${row.reason} |`);
  const opened = openedLibraries.map(
    ({ library, symbols, packed, reason }) =>
      `| \`${library}\` | ${names(symbols)} | ${reason} | ${packed ? "yes" : "no, the target's"} |`,
  );
  return [
    "| library | why it is the target's |",
    "|---|---|",
    ...targets,
    "",
    "What glibc opens by itself, when a program uses certain functions:",
    "",
    "| library | functions | what for | packed |",
    "|---|---|---|---|",
    ...opened,
  ].join("\n");
}

function namespaceTable(/** @type {Spec} */ { userNamespace }) {
  const rows = userNamespace.map(
    ({ names, need, reason }) =>
      `| ${names.map((name) => `\`${name}\``).join(", ")} | ${reason} | \`${need}\` |`,
  );
  return ["| programs | why | word of `--needs` |", "|---|---|---|", ...rows].join("\n");
}

function configTable(/** @type {Spec} */ { options }) {
  /** @returns {string} */
  const type = (/** @type {Schema} */ schema) => {
    if (schema.enum) return schema.enum.map((one) => `\`${JSON.stringify(one)}\``).join(", ");
    if (schema.items?.enum) return `list of ${type(schema.items)}`;
    if (schema.items) return `list of ${schema.items.type}s`;
    if (schema.type !== "integer") return `${schema.type}`;
    return `integer, ${schema.minimum} to ${schema.maximum}`;
  };
  const rows = Object.entries(configKeys(options).properties).map(
    ([key, schema]) => `| \`${key}\` | ${type(schema)} | ${schema.description} |`,
  );
  return ["| key | value | meaning |", "|---|---|---|", ...rows].join("\n");
}

function cliReference(/** @type {Spec} */ { options }) {
  const block = (/** @type {string} */ text) => `\`\`\`text\n${text.trimEnd()}\n\`\`\``;
  const environment = options.environment.map(
    ({ name, scope, summary }) => `| \`${name}\` | ${scope} | ${summary} |`,
  );
  return [
    "## bundle",
    block(programHelp(options)),
    ...options.commands.flatMap((c) => [`## bundle ${c.name}`, block(commandHelp(options, c))]),
    `## ${options.alias.name}`,
    options.alias.summary,
    block(aliasHelp(options)),
    `## ${options.runner.name}`,
    "The runtime without an image. `bundle runtime -o fuselage` copies it; nothing else is needed to run it.",
    block(runnerHelp(options)),
    "## Options of a bundle",
    "They count only as the first argument, and not at all in a bundle that was built with `--no-runtime-options`. `--bundle-extract` takes `--set-id`, `--devices`, `--owners` and `--privileged-xattrs`, as `bundle extract` does.",
    block(runtimeHelp(options)),
    "## Options of a start with the image as root",
    "They follow `--bundle-run`, which counts as the first argument of a bundle whose image is its root directory.",
    block(runHelp(options)),
    "## Options of an AppImage",
    "They count only as the first argument of a file that is an AppImage, beside those of a bundle.",
    block(appimageHelp(options)),
    "## Environment variables",
    ["| name | scope | meaning |", "|---|---|---|", ...environment].join("\n"),
  ].join("\n\n");
}

/** The text of a page with these tables between its marks. @returns {string} */
export function spliceTables(/** @type {string} */ file, /** @type {string[]} */ tables) {
  const text = readFileSync(path.join(root, file), "utf8");
  const begin = "<!-- generated: begin -->";
  const end = "<!-- generated: end -->";
  let done = "";
  let rest = text;
  for (const table of tables) {
    const from = rest.indexOf(begin);
    const to = rest.indexOf(end);
    if (from < 0 || to < from) {
      throw new Error(`${file}: the marks "${begin}", "${end}" are missing`);
    }
    done += `${rest.slice(0, from + begin.length)}\n\n${table}\n\n${end}`;
    rest = rest.slice(to + end.length);
  }
  return done + rest;
}

/** The pages with what is generated in them. @returns {[file: string, text: string][]} */
export function pages(/** @type {Spec} */ spec) {
  return Object.entries({
    "docs/errors.md": [errorTable(spec)],
    "docs/warnings.md": [warningTable(spec)],
    "docs/cli.md": [cliReference(spec)],
    "docs/format.md": [tagTable(spec), ownLoaderTable(spec)],
    "docs/libraries.md": [libraryTables(spec)],
    "docs/config.md": [configTable(spec)],
    "docs/limits.md": [namespaceTable(spec)],
    "docs/ARCHITECTURE.md": [floorTables()],
    "docs/vm-protocol.md": guestTables(spec),
  }).map(([file, tables]) => [file, spliceTables(file, tables)]);
}
