// docs/api.md from the declarations of the package: what builder/index.ts exports, with the comments
// that stand above it. Types are asked of the compiler itself. Its interface is called unstable, so
// `typescript` is pinned to one version in package.json; no other tool reads sources of this version.
//
//   node scripts/generate/api.mjs       writes docs/api.md

import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { SyntaxKind } from "typescript/unstable/ast";
import { API, NodeBuilderFlags, SymbolFlags } from "typescript/unstable/sync";

/** @typedef {import("typescript/unstable/sync").Checker} Checker */
/** @typedef {import("typescript/unstable/sync").Symbol} Symbol */
/** @typedef {import("typescript/unstable/ast").Node} Node */

/**
 * Something that the package exports, or a property of it.
 * @typedef {object} Entry
 * @property {string} name
 * @property {"function" | "type" | "value"} sort
 * @property {string} declaration as it stands in the source, without a function's body
 * @property {string} about the comment above it
 * @property {{name: string, text: string}[]} tags `@throws` and so on
 * @property {Property[]} properties of an interface or a class
 */

/** @typedef {{name: string, optional: boolean, type: string, about: string}} Property */

const root = path.resolve(import.meta.dirname, "../..");
const API_FILE = "docs/api.md";

const INTRO = `# API

Everything that \`import { ... } from "fuselage-bundle"\` gives, made from the declarations and their
comments: \`node scripts/generate/api.mjs\`. The same from a shell is in [cli.md](cli.md).

* Functions that can fail throw, or reject with, a [BundleError](#bundleerror). Its \`code\` is one of
  [errors.md](errors.md).
* Options that are not known are refused. An option that is \`undefined\` has its default.
* Paths are relative to the working directory unless it says otherwise.
* What a function writes appears under its name only when it is complete.

The examples are run by a test, in a folder where \`hello\` is a copy of \`examples/hello\`; what they print
stands behind the line that prints it.
`;

/** The text of a node without what an optional property adds to it by itself. */
const typeText = (/** @type {string} */ text) =>
  text
    .replace(/\s+/g, " ")
    .replace(/ \| undefined\b/, "")
    .replace(/^\((.*)\)$/, "$1");

/** @returns {Node} the node that declares a symbol */
function declarationOf(/** @type {Symbol} */ symbol) {
  const node = symbol.declarations[0]?.resolve();
  if (node === undefined) throw new Error(`api: ${symbol.name} has no declaration`);
  return node;
}

/** Parts of nodes that are read here, which only some kinds of nodes have. */
const part = (/** @type {Node} */ node, /** @type {string} */ name) =>
  /** @type {Node | undefined} */ (Reflect.get(node, name));

/** @returns {Property} */
function readProperty(/** @type {Checker} */ checker, /** @type {Symbol} */ symbol) {
  const node = declarationOf(symbol);
  const written = part(node, "type");
  const generic = part(node.parent, "typeParameters") !== undefined;
  const type = checker.getTypeOfSymbol(symbol);
  const text =
    written === undefined || generic ? type && checker.typeToString(type) : written.getText();
  return {
    name: symbol.name,
    optional: (symbol.flags & SymbolFlags.Optional) !== 0,
    type: typeText(text ?? "unknown"),
    about: symbol.getDocumentationComment(checker),
  };
}

/** Properties that this project declares, those of what is extended too. */
function readProperties(/** @type {Checker} */ checker, /** @type {Symbol} */ symbol) {
  const hasProperties = SymbolFlags.Interface | SymbolFlags.Class;
  if ((symbol.flags & hasProperties) === 0) return [];
  const own = symbol.declarations[0]?.path;
  // A type's own come before those that it takes from others, each in the order of its file.
  const rank = (/** @type {Symbol} */ { declarations: [first] }) =>
    `${first?.path === own ? "" : first?.path} ${String(first?.index).padStart(9, "0")}`;
  return checker
    .getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
    .filter(({ name, declarations: [first] }) => {
      // The compiler calls a private field __#1@#name.
      return first && !first.path.includes("/node_modules/") && !name.includes("@#");
    })
    .sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
    .map((property) => readProperty(checker, property));
}

/** A declaration as it is written; of a function what stands before its body. */
function declarationText(/** @type {Checker} */ checker, /** @type {Symbol} */ symbol) {
  const node = declarationOf(symbol);
  const text = node.getSourceFile().text;
  const name = part(node, "name") ?? node;
  const body = part(node, "body");
  if (node.kind === SyntaxKind.FunctionDeclaration && body) {
    return text.slice(name.getStart(), body.getStart()).trim();
  }
  if (node.kind === SyntaxKind.TypeAliasDeclaration) {
    const written = text.slice(node.getStart(), node.end).replace(/^export /, "");
    if (!written.includes("[number]")) return written;
    // Members of a list: the list itself is not what a reader wants to know.
    const type = checker.getDeclaredTypeOfSymbol(symbol);
    return `type ${name.getText()} = ${checker.typeToString(type, undefined, NodeBuilderFlags.InTypeAlias)};`;
  }
  return name.getText();
}

/** @returns {Entry["sort"]} */
function sortOf(/** @type {Symbol} */ { flags }) {
  if (flags & SymbolFlags.Function) return "function";
  return flags & SymbolFlags.Variable ? "value" : "type";
}

/** @returns {Entry[]} what builder/index.ts exports, in its order */
export function readApi() {
  const config = path.join(root, "tsconfig.json");
  const api = new API({ cwd: root });
  try {
    const project = api.updateSnapshot({ openProject: config }).getProject(config);
    const index = project?.program.getSourceFile(path.join(root, "builder/index.ts"));
    const module = index && project?.checker.getSymbolAtLocation(index);
    if (project === undefined || module === undefined) throw new Error("api: nothing is exported");
    const { checker } = project;
    return checker.getExportsOfModule(module).map((exported) => {
      const symbol = checker.getAliasedSymbol(exported);
      return {
        name: exported.name,
        sort: sortOf(symbol),
        declaration: declarationText(checker, symbol),
        about: symbol.getDocumentationComment(checker),
        tags: symbol.getJsDocTags(checker).map(({ name, text = "" }) => ({ name, text })),
        properties: readProperties(checker, symbol),
      };
    });
  } finally {
    api.close();
  }
}

const fence = /^```js\n([\s\S]*?)^```$/m;

/** Programs that the comments give as examples. @returns {{name: string, code: string}[]} */
export function apiExamples(entries = readApi()) {
  return entries.flatMap(({ name, tags }) =>
    tags
      .filter((tag) => tag.name === "example")
      .map(({ text }) => ({ name, code: fence.exec(text)?.[1] ?? "" })),
  );
}

/** What is missing: a sentence for everything, an example for each function, types that are named. */
export function apiProblems(entries = readApi()) {
  const names = new Set(entries.map(({ name }) => name));
  const known = new Set(
    "Promise Record AbortSignal Exclude Partial Omit Readonly Iterable AsyncIterable Uint8Array Buffer".split(
      " ",
    ),
  );
  return entries.flatMap((entry) => {
    const problems = [];
    const { name, properties, declaration, sort } = entry;
    if (entry.about === "") problems.push(`${name} has no comment`);
    for (const { name: property, about } of properties) {
      if (about === "") problems.push(`${name}.${property} has no comment`);
    }
    const text = [declaration, ...properties.map(({ type }) => type)]
      .join(" ")
      .replace(/"[^"]*"|\/\*.*?\*\//gs, "");
    for (const type of new Set(text.match(/\b[A-Z]\w+/g))) {
      if (!names.has(type) && !known.has(type))
        problems.push(`${name} names ${type}, which is not exported`);
    }
    if (sort === "function" && apiExamples([entry]).every(({ code }) => code === "")) {
      problems.push(`${name} has no example`);
    }
    return problems.map((problem) => `builder/index.ts: ${problem}`);
  });
}

const cell = (/** @type {string} */ text) => text.replace(/\s+/g, " ").replaceAll("|", "\\|");

/** A type in a table, a link where it is one of ours. */
function typeCell(/** @type {string} */ type, /** @type {Set<string>} */ names) {
  return names.has(type) ? `[${type}](#${type.toLowerCase()})` : `\`${cell(type)}\``;
}

/** @param {Entry} entry @param {Set<string>} names */
function section({ name, sort, declaration, about, tags, properties }, names) {
  const lines = [`### ${name}`, ""];
  if (sort === "function" || (properties.length === 0 && sort === "type")) {
    lines.push("```ts", declaration, "```", "");
  }
  if (about) lines.push(about, "");
  const listed = tags.filter((tag) => tag.name !== "example");
  for (const { name: tag, text } of listed) {
    const words = { param: "Takes", returns: "Returns", throws: "Throws" }[tag] ?? tag;
    lines.push(`* ${words} ${text.replace(/\s+/g, " ").replace(/^(\w+) - /, "`$1`: ")}`);
  }
  const linked = [...new Set(declaration.match(/\b[A-Z]\w+/g))].filter(
    (type) => names.has(type) && type !== name,
  );
  if (sort === "function" && linked.length > 0) {
    lines.push(`* See ${linked.map((type) => `[${type}](#${type.toLowerCase()})`).join(", ")}`);
  }
  if (lines.at(-1) !== "") lines.push("");
  for (const { code } of apiExamples([{ name, sort, declaration, about, tags, properties }])) {
    lines.push(`\`\`\`js\n${code.trimEnd()}\n\`\`\``, "");
  }
  if (properties.length > 0) {
    lines.push("| property | type | meaning |", "|---|---|---|");
    for (const { name: property, optional, type, about: meaning } of properties) {
      const shown = `\`${property}${optional ? "?" : ""}\``;
      lines.push(`| ${shown} | ${typeCell(type, names)} | ${cell(meaning)} |`);
    }
    lines.push("");
  }
  return lines.join("\n");
}

/** @returns {string} the text of docs/api.md */
export function apiReference(entries = readApi()) {
  const names = new Set(entries.filter(({ sort }) => sort === "type").map(({ name }) => name));
  const chapter = (/** @type {string} */ heading, /** @type {Entry["sort"]} */ sort) => [
    `## ${heading}\n`,
    ...entries.filter((entry) => entry.sort === sort).map((entry) => section(entry, names)),
  ];
  const chapters = [
    ...chapter("Functions", "function"),
    ...chapter("Values", "value"),
    ...chapter("Types", "type"),
  ];
  return `${[INTRO, ...chapters].join("\n").trimEnd()}\n`;
}

/** @param {boolean} fix whether a stale file is written anew @returns {string[]} problems */
export function apiFileProblems(fix = false) {
  const entries = readApi();
  const problems = apiProblems(entries);
  const file = path.join(root, API_FILE);
  const text = apiReference(entries);
  if (fix) writeFileSync(file, text);
  if (readFileSync(file, "utf8") !== text) {
    problems.push(`${API_FILE} is stale; run: node scripts/generate/api.mjs`);
  }
  return problems;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const problem of apiFileProblems(true)) console.error(problem);
}
