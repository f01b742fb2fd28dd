/** Which file of a Node project is started. */
import { existsSync, realpathSync } from "node:fs";
import path from "node:path";
import { hasElfMagic } from "../../elf/read.ts";
import type { FailureText } from "../../errors.ts";
import { statusOf } from "../../host/status.ts";
import type { DetectInput } from "../kind.ts";
import { type NearEntries, nearEntries } from "../near-entries.ts";
import * as errors from "./node-errors.ts";
import { type PackageJson, PackageReader } from "./package.ts";
import { nodeCommands, splitFlags } from "./start-script.ts";

export interface NodeEntry {
  /** The project: the folder given, or for a file the folder of its package.json. */
  dir: string;
  /** Absolute, links followed. */
  file: string;
  /** Where it was found: "as asked for", "bin of package.json". */
  why: string;
  /** Whether it is in `bin` of package.json: a command that is started in other people's folders. */
  isCommand: boolean;
}

export const SCRIPT = /\.[cm]?[jt]sx?$/;

/** What Node tries behind a name without an ending, and the same in TypeScript. */
const ENDINGS = ["", ".js", ".mjs", ".cjs", ".json", ".ts", ".mts", ".cts"];
const INDEXES = ["js", "mjs", "cjs", "ts", "mts", "cts"].map((ending) => `index.${ending}`);

/**
 * Finds the entry.
 *
 * @throws E_ENTRY_AMBIGUOUS, E_ENTRY_MISSING, E_ENTRY_NONE, E_NODE_PACKAGE
 */
export async function findEntry(reader: PackageReader, input: DetectInput): Promise<NodeEntry> {
  const entry = await chooseEntry(reader, input);
  const { bin } = (await reader.read(entry.dir)) ?? {};
  const commands = programsOf(bin).map((name) => existing(path.resolve(entry.dir, name)));
  const isCommand = commands.some(
    (name) => name !== undefined && realpathSync(name) === entry.file,
  );
  return { ...entry, isCommand };
}

async function chooseEntry(
  reader: PackageReader,
  input: DetectInput,
): Promise<Omit<NodeEntry, "isCommand">> {
  if (!input.isDirectory) {
    const file = realpathSync(input.path);
    const dir = (await reader.above(path.dirname(file))) ?? path.dirname(file);
    return { dir, file, why: "the file given" };
  }
  const dir = realpathSync(input.path);
  if (input.entry !== undefined) {
    return { dir, file: resolveFile(dir, input.entry, input.shown), why: "as asked for" };
  }
  const json = await reader.read(dir);
  const found = candidates(json ?? {});
  for (const { names, why, strict } of found) {
    if (names.length > 1) throw errors.entryAmbiguous(input.shown, names);
    const [name] = names;
    if (name === undefined) continue;
    const file = existing(path.resolve(dir, name));
    if (file !== undefined) return { dir, file: realpathSync(file), why };
    if (strict) {
      const [source = "src/main.ts"] = (await guesses(input))?.startable ?? [];
      throw errors.entryMissing(input.shown, name, unbuilt(name, why, source));
    }
  }
  throw errors.entryNone(input.shown, await guesses(input), json !== undefined);
}

interface Candidate {
  names: string[];
  why: string;
  /** package.json says so, so it must exist. */
  strict: boolean;
}

function candidates(json: PackageJson): Candidate[] {
  const of = (why: string, name: string | undefined): Candidate => ({
    names: name === undefined ? [] : [name],
    why: `${why} of package.json`,
    strict: true,
  });
  const commands = nodeCommands(json.scripts?.["start"] ?? "");
  const start = commands.map(({ words }) => splitFlags(words).program[0]).find((name) => name);
  return [
    { ...of("bin", undefined), names: programsOf(json.bin) },
    of("main", json.main),
    of("exports", exportedFile(json.exports)),
    of("scripts.start", start),
    ...INDEXES.map((name) => ({ names: [name], why: name, strict: false })),
    // As `npm start` does where nothing else is said; Next's standalone servers have nothing else.
    ...(json.scripts?.["start"] === undefined
      ? [{ names: ["server.js"], why: "server.js, which npm start takes", strict: false }]
      : []),
  ];
}

function programsOf(bin: PackageJson["bin"]): string[] {
  const names = typeof bin === "string" ? [bin] : Object.values(bin ?? {});
  return [...new Set(names.map((name) => path.normalize(name)))];
}

/** The file that `import` of the package itself would give. */
function exportedFile(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports;
  if (Array.isArray(exports)) return exports.map(exportedFile).find((file) => file !== undefined);
  if (typeof exports !== "object" || exports === null) return undefined;
  const table = exports as Record<string, unknown>;
  for (const key of [".", "node", "import", "module-sync", "require", "default"]) {
    const found = key in table ? exportedFile(table[key]) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

export function existing(file: string): string | undefined {
  const isFile = (name: string) => statusOf(name)?.isFile() === true;
  const beside = ENDINGS.map((ending) => `${file}${ending}`).find(isFile);
  return beside ?? INDEXES.map((name) => path.join(file, name)).find(isFile);
}

function resolveFile(dir: string, entry: string, shown: string): string {
  const file = existing(path.resolve(dir, entry));
  if (file === undefined) {
    const below = entry.split("/").slice(1).join("/");
    const hint: FailureText | undefined =
      below !== "" && existsSync(path.join(dir, below))
        ? (name) => `The path is relative to the folder: ${name("entry", below)}`
        : undefined;
    throw errors.entryMissing(shown, entry, hint);
  }
  return realpathSync(file);
}

/** What could be meant; a folder that cannot be read is no reason to say nothing else. */
async function guesses(input: DetectInput): Promise<NearEntries | undefined> {
  const tree = await input.tree().catch(() => undefined);
  return tree && nearEntries(tree, input.name);
}

function unbuilt(file: string, why: string, source: string): FailureText {
  return (name) =>
    `${why} says ${file}. Build the project first, or name its source: ${name("entry", source)}`;
}

/**
 * Whether an input looks like a Node app: a script that Node runs, or a folder with a package.json.
 * A package that only carries a compiled program is none.
 */
export async function looksLikeNode(input: DetectInput): Promise<string | undefined> {
  if (!input.isDirectory) return (await scriptReason("", input)) ?? undefined;
  if (input.entry !== undefined) return scriptReason(input.entry, input);
  if ((await input.head("package.json")) === undefined) {
    for (const name of INDEXES) if ((await input.head(name)) !== undefined) return `it has ${name}`;
    return undefined;
  }
  if ((await input.head("AppRun")) !== undefined) return undefined;
  const json = await new PackageReader().read(input.path);
  const programs = candidates(json ?? {})
    .filter(({ strict }) => strict)
    .flatMap(({ names }) => names);
  for (const name of programs) {
    const head = await input.head(name);
    if (head !== undefined && hasElfMagic(head)) return undefined;
  }
  return "it has package.json";
}

async function scriptReason(relative: string, input: DetectInput): Promise<string | undefined> {
  const name = relative === "" ? path.basename(input.path) : relative;
  const head = await input.head(relative);
  if (SCRIPT.test(name)) return head === undefined ? undefined : `${name} is a script for Node`;
  const first = head?.toString("latin1").split("\n", 1)[0] ?? "";
  return /^#!.*\bnode\b/.test(first) ? `${name} starts with ${first}` : undefined;
}
