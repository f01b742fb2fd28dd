// Docs are executed: what they name has to exist, and what exists has to be in them.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { machineName } from "../build/machines.mjs";
import { apiFileProblems } from "../generate/api.mjs";
import { readSpec } from "../generate/spec.mjs";

/** @import {Spec} from "../generate/types.mts" */

const root = path.resolve(import.meta.dirname, "../..");
const read = (/** @type {string} */ file) => readFileSync(path.join(root, file), "utf8");

function filesBelow(/** @type {string} */ dir, /** @type {RegExp} */ pattern) {
  return readdirSync(path.join(root, dir), { recursive: true, encoding: "utf8" })
    .filter((name) => pattern.test(name) && !name.startsWith("generated/"))
    .map((name) => path.join(dir, name));
}

const documents = () => [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...filesBelow("docs", /\.md$/),
  ".github/pull_request_template.md",
];

/** GitHub's anchors of a document's headings. */
function anchors(/** @type {string} */ text) {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- _]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Relative links lead to files, and their anchors to headings. */
function linkProblems(/** @type {string} */ file, /** @type {string} */ text) {
  const problems = [];
  for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(link)) continue;
    const [target, anchor] = link.split("#");
    const full = target ? path.join(path.dirname(file), target) : file;
    if (!existsSync(path.join(root, full))) problems.push(`${file}: link to ${link}: no such file`);
    else if (anchor && !anchors(read(full)).includes(anchor)) {
      problems.push(`${file}: link to ${link}: no such heading`);
    }
  }
  return problems;
}

/** A link whose words are a path leads to that path, and not to where it was once. */
export function linkTextProblems(/** @type {string} */ file, /** @type {string} */ text) {
  return [...text.matchAll(/\[([\w.-]+\/[\w./-]+)\]\((?![a-z]+:)([^)\s#]+)[^)]*\)/g)]
    .map(([, words, link]) => ({ words, target: path.join(path.dirname(file), link) }))
    .filter(({ words, target }) => !`/${target}/`.includes(`/${words.replace(/\/$/, "")}/`))
    .filter(({ words, target }) => !`/${target.replace(/\.\w+$/, "")}/`.includes(`/${words}`))
    .map(({ words, target }) => `${file}: [${words}] leads to ${target}`);
}

/** Folders and files of the project in `code`, when they are not made by a build. */
function pathProblems(/** @type {string} */ file, /** @type {string} */ text) {
  const top = ["builder", "runtime", "native", "scripts", "test", "examples", "docs", "templates"];
  const named = [...text.matchAll(/`([A-Za-z0-9_.\-/]+)`/g)].map(([, name]) => name);
  return named
    .filter((name) => top.includes(name.split("/")[0]) && name.includes("/"))
    .filter((name) => !existsSync(path.join(root, name)))
    .map((name) => `${file}: ${name} does not exist`);
}

function commandProblems(/** @type {string} */ file, /** @type {string} */ text) {
  const { scripts } = JSON.parse(read("package.json"));
  const problems = [];
  for (const [, name] of text.matchAll(/npm run ([a-z][a-z:-]*)/g)) {
    if (!scripts[name]) problems.push(`${file}: npm run ${name}: package.json has no such script`);
  }
  for (const [, script] of text.matchAll(/node (scripts\/[\w./-]+)/g)) {
    if (!existsSync(path.join(root, script))) problems.push(`${file}: ${script} does not exist`);
  }
  return problems;
}

/** Code that is shown: what it names need not be there. */
const EXAMPLE = /^```(?:json|c)\n.*?^```$/gms;

/** A code that is documented is raised, a code that is raised is documented; so with warnings. */
function codeProblems(/** @type {Spec} */ spec) {
  const known = new Set(spec.errors.map(({ code }) => code));
  const builder = filesBelow("builder", /\.ts$/).map(read).join("\n");
  const runtime = filesBelow("runtime", /\.[ch]$/)
    .map(read)
    .join("\n");
  const stubs = filesBelow("runtime/stubs", /\.c$/).map(read).join("\n");
  const problems = [];
  for (const { code, raisedBy } of spec.errors) {
    const raised = {
      builder: builder.includes(`"${code}"`),
      runtime: runtime.includes(code),
      stub: stubs.includes(code),
    };
    for (const who of raisedBy.filter((name) => !raised[name])) {
      problems.push(`scripts/spec/errors.json: the ${who} never raises ${code}`);
    }
  }
  for (const { code } of spec.warnings) {
    if (!builder.includes(`"${code}"`)) {
      problems.push(`scripts/spec/warnings.json: nothing warns of ${code}`);
    }
    known.add(code);
  }
  const pages = documents().map((file) => read(file).replaceAll(EXAMPLE, ""));
  const mentioned = [
    ...([builder, runtime, ...pages].join("\n").match(/\bE_[A-Z_]+\b/g) ?? []),
    ...([builder, ...pages].join("\n").match(/(?<!constants\.)\bW_[A-Z_]+\b/g) ?? []),
  ];
  for (const code of new Set(mentioned)) {
    if (!known.has(code) && !code.endsWith("_")) problems.push(`${code} is in no table of codes`);
  }
  return problems;
}

/**
 * How the commands beside `bundle` are asked for their help.
 * @returns {Record<string, [string, string[]]>}
 */
function otherPrograms() {
  return {
    fuselage: [path.join(root, "dist/runtime", machineName(), "fuselage"), ["--help"]],
    "fuselage-bundle": [path.join(root, "dist/cli/fuselage-bundle.js"), ["--help"]],
  };
}

const printedBy = (/** @type {string} */ command, /** @type {string[]} */ args) =>
  execFileSync(command, args, { encoding: "utf8" });

/** `--help` of the built command says what docs/cli.md says, and both have every option. */
function helpProblems(/** @type {Spec} */ spec) {
  const main = path.join(root, "dist/cli/main.js");
  if (!existsSync(main)) return ["dist/cli/main.js is not built; run: npm run build"];
  const reference = read("docs/cli.md");
  const help = (/** @type {string[]} */ ...args) => printedBy(process.execPath, [main, ...args]);
  const problems = [];
  for (const { name, options } of spec.options.commands) {
    const text = help(name, "--help");
    if (!reference.includes(text.trimEnd())) {
      problems.push(`docs/cli.md: not what \`bundle ${name} --help\` prints`);
    }
    for (const option of options) {
      if (!text.includes(`--${option.name}`)) problems.push(`${name}: --${option.name}: no help`);
    }
  }
  if (!reference.includes(help("--help").trimEnd())) {
    problems.push("docs/cli.md: not what `bundle --help` prints");
  }
  for (const [name, command] of Object.entries(otherPrograms())) {
    if (!existsSync(command[0])) {
      problems.push(`${path.relative(root, command[0])} is not built; run: npm run build`);
    } else if (!reference.includes(printedBy(...command).trimEnd())) {
      problems.push(`docs/cli.md: not what \`${name} --help\` prints`);
    }
  }
  return problems;
}

/** Environment variables of ours in the sources are in the table, and the other way round. */
function environmentProblems(/** @type {Spec} */ spec) {
  const text = {
    builder: filesBelow("builder", /\.ts$/).map(read).join("\n"),
    runtime: filesBelow("runtime", /\.[ch]$/)
      .map(read)
      .join("\n"),
    stub: filesBelow("runtime/stubs", /\.c$/).map(read).join("\n"),
  };
  const inSources = { builder: "environment.", runtime: "ENV_", stub: "ENV_" };
  const problems = spec.options.environment.flatMap(({ name, sources }) =>
    sources
      .filter((who) => !new RegExp(`\\b${inSources[who]}${name}\\b`).test(text[who]))
      .map((who) => `scripts/spec/options.json: the ${who} does not know ${name}`),
  );
  for (const [, name] of text.runtime.matchAll(/(?:get|set|unset)env\("(\w+)"/g)) {
    if (name.startsWith("FUSELAGE_") || spec.options.environment.some((row) => row.name === name)) {
      problems.push(`runtime: "${name}" is written by hand: use ENV_${name} of generated/names.h`);
    }
  }
  return problems;
}

/** @param {boolean} fix whether what is made of the sources is made anew */
export async function docsProblems(fix) {
  const spec = readSpec();
  return [
    ...apiFileProblems(fix),
    ...documents().flatMap((file) => {
      const text = read(file);
      return [
        ...linkProblems(file, text),
        ...linkTextProblems(file, text),
        ...pathProblems(file, text),
        ...commandProblems(file, text),
      ];
    }),
    ...codeProblems(spec),
    ...helpProblems(spec),
    ...environmentProblems(spec),
  ];
}
