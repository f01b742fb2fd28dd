/**
 * Files of the app that its sources open by a name of the current folder. Beside its sources an app finds
 * them because it is started there; a bundle is started anywhere, so they are found at one start and missing
 * at the next.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import type { AnyNode, CallExpression, Program } from "acorn";
import { type Warning, warning } from "../../warnings.ts";
import { parseSource, walk } from "./parse.ts";
import { readScript } from "./trace.ts";

/** Functions of `fs` that need what they name; those of servers for folders, behind any object. */
const OPENERS = new Set(
  [
    "access copyFile cp createReadStream exists lstat open opendir readFile readdir stat",
    "accessSync copyFileSync cpSync existsSync lstatSync openSync opendirSync readFileSync readdirSync statSync",
    "static serveStatic sirv",
  ].flatMap((line) => line.split(" ")),
);

/** Whether a text has any call that is looked for; parsing takes longer. */
const ANY = new RegExp(`\\b(?:${[...OPENERS].join("|")}|cwd|resolve|set)\\s*\\(`);

/**
 * Names that stand in every project, of what a tool looks for in the folder of its user: hidden files,
 * package.json and locks of packages, settings of compilers.
 */
const ANYBODYS = /^(?:\.|node_modules$|package(?:-lock)?\.json$|[tj]sconfig.*\.json$|.*\.lock$)/;

/**
 * Warns of each source that opens files of the project by names of the current folder.
 *
 * @param dir of the project
 * @param files sources of the app
 * @param declared names that are meant so: --target-has
 */
export async function currentFolderWarnings(
  dir: string,
  files: readonly string[],
  declared: readonly string[],
): Promise<Warning[]> {
  const known = new Set(declared.map(plainName));
  const opened = new Map<string, string[]>();
  const views = new ViewFolder();
  for (const file of files) {
    const program = await parsed(file);
    if (program === undefined) continue;
    const found = new Set<string>();
    let moves = false;
    walk(program, (node) => {
      if (node.type !== "CallExpression") return;
      const name = nameOf(node);
      if (name === "chdir") moves = true;
      views.look(file, name, node);
      const opens = openedName(name, node);
      if (opens !== undefined) found.add(opens);
    });
    // It chooses the current folder, and what is found there is its own matter.
    if (moves) return [];
    opened.set(file, [...found]);
  }
  if (views.user !== undefined) opened.get(views.user)?.push("views");
  return [...opened].flatMap(([file, names]) => {
    const own = [...new Set(names.map(plainName))]
      .filter((name) => !known.has(name) && isOwn(dir, name))
      .sort();
    return own.length === 0 ? [] : [told(path.relative(dir, file), own)];
  });
}

function told(source: string, names: readonly string[]): Warning {
  return warning(
    "W_CURRENT_FOLDER",
    `${source} opens ${names.join(", ")} in the current folder, which is that of whoever starts the bundle; path.join(__dirname, "${names[0]}") leads to the app's own`,
  );
}

/** Express looks into ./views when it has an engine and nobody says where. */
class ViewFolder {
  #engine: string | undefined;
  #isSet = false;

  look(file: string, name: string | undefined, { arguments: [first] }: CallExpression): void {
    if (name !== "set") return;
    if (textOf(first) === "view engine") this.#engine ??= file;
    if (textOf(first) === "views") this.#isSet = true;
  }

  get user(): string | undefined {
    return this.#isSet ? undefined : this.#engine;
  }
}

async function parsed(file: string): Promise<Program | undefined> {
  if (!/\.[cm]?[jt]sx?$|\/[^./]+$/.test(file)) return undefined;
  const text = String(await readScript(file));
  return ANY.test(text) ? parseSource(text) : undefined;
}

/** The last name of what is called: `static` of `express.static()`. */
function nameOf({ callee }: CallExpression): string | undefined {
  if (callee.type === "Identifier") return callee.name;
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return undefined;
  const { object } = callee;
  const asksForModules =
    callee.property.name === "resolve" &&
    ((object.type === "Identifier" && object.name === "require") || object.type === "MetaProperty");
  return asksForModules ? undefined : callee.property.name;
}

/** What a call names in the current folder. */
function openedName(name: string | undefined, call: CallExpression): string | undefined {
  const [first, second] = call.arguments;
  if (name === "resolve" || name === "join") return joined(name, call.arguments);
  if (name === "set") return textOf(first) === "views" ? textOf(second) : undefined;
  return name !== undefined && OPENERS.has(name) ? textOf(first) : undefined;
}

/** `path.resolve("a", "b")`, `path.join(process.cwd(), "a")`; a join without a start leads nowhere yet. */
function joined(name: "resolve" | "join", parts: readonly AnyNode[]): string | undefined {
  const [first] = parts;
  const fromCurrent = first?.type === "CallExpression" && nameOf(first) === "cwd";
  if (name === "join" && !fromCurrent) return undefined;
  const texts = parts.slice(fromCurrent ? 1 : 0).map(textOf);
  if (texts.length === 0 || texts.includes(undefined)) return undefined;
  return path.join(...(texts as string[]));
}

/** A string that stands in the source. */
function textOf(node: AnyNode | undefined): string | undefined {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral" && node.expressions.length === 0) {
    return node.quasis[0]?.value.cooked ?? undefined;
  }
  return undefined;
}

const plainName = (name: string) => path.normalize(name).replace(/\/+$/, "");

/** Whether the name is that of something in the project, and of nothing that everybody's has. */
function isOwn(dir: string, name: string): boolean {
  if (path.isAbsolute(name) || name.includes("\0") || name === "") return false;
  const [first = ""] = name.split("/");
  return !ANYBODYS.test(first) && existsSync(path.join(dir, name));
}
