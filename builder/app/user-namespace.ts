/**
 * What an app needs that the kernel keeps for each user namespace. Where an ordinary user starts a
 * bundle it may be in a new one; docs/limits.md says when, and what is other there.
 */
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import { hasElfMagic } from "../elf/read.ts";
import { namespaceSensitive } from "../generated/spec.ts";
import { displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import { type Warning, warning } from "../warnings.ts";
import type { App } from "./kind.ts";
import { shellCommands } from "./shell-commands.ts";
import { isShell, readScript } from "./shell-script.ts";

type NeedsOptions = Pick<ResolvedBuildOptions, "needs" | "writable" | "mountAt" | "maps">;

/** By name of a program: what it needs. */
const sensitive = new Map<string, string>(
  namespaceSensitive.flatMap(({ names, need }) => names.map((name) => [name, need] as const)),
);

/** What is different in a new user namespace, by the word that keeps an app out of one. */
const consequences: Readonly<Record<string, string>> = {
  setuid: "get no rights of root's",
  ssh: "refuse configuration files of root's",
  keyring: "do not find the user's keys",
};

/** Programs that a message names. */
const SHOWN = 3;

/** What the bundle records: words of the app itself, and of the options. */
export function recordedNeeds(app: App, { needs = [] }: NeedsOptions): string[] {
  return [...new Set([...(app.needs ?? []), ...needs])].filter((need) => need !== "none");
}

/**
 * Programs of the app, and those that its scripts name, that do less in a new user namespace than the
 * app was built for.
 *
 * @param scripts commands of package.json that a start runs
 */
export async function namespaceWarnings(
  app: App,
  options: NeedsOptions,
  scripts: readonly string[],
): Promise<Warning[]> {
  const needs = recordedNeeds(app, options);
  const ruledOut = obstacle(needs, options);
  if (options.needs?.includes("none")) return ruledOut;
  const found = await foundPrograms(app.tree, scripts);
  const warnings = Object.entries(consequences).flatMap(([need, consequence]) => {
    const programs = [...found].filter(([name]) => sensitive.get(name) === need);
    if (programs.length === 0 || needs.includes(need)) return [];
    const shown = programs.slice(0, SHOWN).map(([name, where]) => `${name} (${where})`);
    const more = programs.length > SHOWN ? ` and ${programs.length - SHOWN} more` : "";
    const message = `${shown.join(", ")}${more}: in a new user namespace, where a user's start may be, programs of this kind ${consequence}; --needs ${need} avoids it`;
    return [warning("W_USER_NAMESPACE", message)];
  });
  return [...ruledOut, ...warnings];
}

/** A copy, or a path, of one start alone takes a namespace of its own. */
function obstacle(needs: readonly string[], { writable, mountAt, maps }: NeedsOptions): Warning[] {
  const hasMaps = maps.length > 0;
  if (needs.length === 0 || (!writable && mountAt === undefined && !hasMaps)) return [];
  const option = writable ? "--writable" : hasMaps ? "--map" : "--mount-at";
  const message = `${option} takes a user namespace where an ordinary user starts the bundle: ${needs.join(", ")} cannot be had there`;
  return [warning("W_USER_NAMESPACE", message)];
}

/** By name: where it was found first. */
async function foundPrograms(tree: Tree, scripts: readonly string[]) {
  const found = new Map<string, string>();
  /** Names that are the app's own: not the program of the machine that is called so. */
  const own = new Set<string>();
  const take = (script: string, where: string) => {
    for (const name of shellCommands(script)) {
      if (sensitive.has(name) && !found.has(name)) found.set(name, where);
    }
  };
  for (const script of scripts) take(script, "package.json");
  for (const { path, node } of tree.walk()) {
    // Packages bring scripts that build and publish them.
    if (node.kind !== "file" || /(^|\/)node_modules\//.test(path)) continue;
    const name = path.slice(path.lastIndexOf("/") + 1);
    const isProgram = (node.mode & 0o111) !== 0;
    if (!isProgram && !/\.(ba)?sh$/.test(name)) continue;
    if (node.contents.from === "image") {
      if (sensitive.has(name)) found.set(name, displayPath(path));
      continue;
    }
    const text = await readScript(node, (head) => isShell(head) || !isProgram);
    if (hasElfMagic(text) && sensitive.has(name)) found.set(name, displayPath(path));
    else if (isProgram) own.add(name);
    if (isShell(text) || !isProgram) take(text.toString("utf8"), displayPath(path));
  }
  for (const name of own) found.delete(name);
  return found;
}

/** Commands of scripts.start, of those around it, and of those that they call by npm, pnpm or yarn. */
export function startScripts(packageJson: string): string[] {
  const scripts = scriptsOf(packageJson);
  const names = ["prestart", "start", "poststart"];
  for (const name of names) {
    const called = /\b(?:npm run|pnpm(?: run)?|yarn(?: run)?)\s+([\w:.-]+)/g;
    for (const [, other = ""] of (scripts[name] ?? "").matchAll(called)) {
      if (!names.includes(other)) names.push(other);
    }
  }
  return names.flatMap((name) => scripts[name] ?? []);
}

function scriptsOf(packageJson: string): Record<string, string> {
  try {
    const { scripts } = JSON.parse(packageJson) as { scripts?: unknown };
    const entries = typeof scripts === "object" && scripts !== null ? Object.entries(scripts) : [];
    return Object.fromEntries(entries.filter(([, one]) => typeof one === "string"));
  } catch {
    return {}; // Whoever reads it for more says so.
  }
}
