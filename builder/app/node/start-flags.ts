/**
 * The flags of Node that an app is started with: those of scripts.start in package.json, or of the
 * program's first line. What of them cannot be taken over is named in a warning.
 */
import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { type Warning, warning } from "../../warnings.ts";
import type { DetectInput } from "../kind.ts";
import { existing, type NodeEntry } from "./node-entry.ts";
import type { PackageReader } from "./package.ts";
import { runNode } from "./run-node.ts";
import { type Flag, nodeCommands, shebangWords, splitFlags } from "./start-script.ts";

export interface StartFlags {
  /** Flags that name no file. */
  others: Flag[];
  /** Flags whose value is a file of the app. */
  files: FileFlag[];
  /** Flags that only make Node understand sources which a bundled program does not hold any more. */
  compilers: Flag[];
  /** "scripts.start", for messages. */
  from: string;
  warnings: Warning[];
}

interface FileFlag {
  kind: "--require" | "--import" | "--env-file";
  flag: Flag;
  /** Absolute, links followed. */
  file: string;
}

/** They do what bundling does: compile, or find what tsconfig.json renames, or map stacks. */
const COMPILER =
  /^(?:tsx|ts-node|jiti|esm|sucrase|esbuild-register|source-map-support|tsconfig-paths|babel-register|@babel\/register|@swc\/register|@swc-node\/register|@esbuild-kit\/[\w-]+)(?:\/|$)/;

/** Flags of a start that is none of the program's, or that name files of the machine. */
const NOT_TAKEN =
  /^(?:-[^rC-]|--(?:watch|test|run|eval|print|check|interactive|version|help|loader|experimental-loader|build-snapshot|snapshot-blob|icu-data-dir|openssl-config|prof-process|completion-bash|entry-url|permission|experimental-permission|allow-|(?:experimental-)?(?:default-)?config-file|experimental-sea-config))/;

const NAMES: Readonly<Record<string, FileFlag["kind"]>> = {
  "-r": "--require",
  "--require": "--require",
  "--import": "--import",
  "--env-file": "--env-file",
  "--env-file-if-exists": "--env-file",
};

/**
 * @param node the interpreter that is packed, when it runs here: it says which flags it knows
 * @throws E_NODE_PACKAGE, E_FILE_UNREADABLE
 */
export async function startFlags(
  reader: PackageReader,
  entry: NodeEntry,
  source: DetectInput,
  node: Promise<string | undefined>,
): Promise<StartFlags> {
  const found: StartFlags = { others: [], files: [], compilers: [], from: "", warnings: [] };
  for (const flag of await flagsOf(reader, entry, source, found)) {
    const { name, value = "" } = flag;
    const kind = NAMES[name];
    if (NOT_TAKEN.test(name)) notTaken(found, flag, "it is no matter of a bundle");
    else if (kind === undefined) found.others.push(flag);
    else if (kind !== "--env-file" && COMPILER.test(value)) found.compilers.push(flag);
    else await takeFile(found, entry.dir, flag);
  }
  const bad = await refused(node, found.others);
  for (const flag of bad) notTaken(found, flag, "the packed Node does not know it");
  found.others = found.others.filter((flag) => !bad.includes(flag));
  return found;
}

/** Why the sources must stay as they are with these flags, or undefined. */
export function asItIsReason({ files, others, from }: StartFlags): string | undefined {
  const preload = files.find(({ kind }) => kind !== "--env-file");
  if (preload !== undefined)
    return `${from} has ${shown(preload.flag)}, which may look for modules`;
  const finds = others.find(({ name }) => /^(?:-C|--conditions|--preserve-symlinks.*)$/.test(name));
  return finds && `${from} has ${shown(finds)}, by which Node finds modules`;
}

const shown = ({ words }: Flag) => words.join(" ");

export function notTaken({ from, warnings }: StartFlags, flag: Flag, why: string): void {
  warnings.push(warning("W_NODE_FLAG", `${shown(flag)} of ${from} is left out: ${why}`));
}

/** Where flags stand, and what else stands there. */
async function flagsOf(
  reader: PackageReader,
  { dir, file, why }: NodeEntry,
  source: DetectInput,
  found: StartFlags,
): Promise<Flag[]> {
  // A program of bin is started by its name, a file as it is: scripts.start is another way to start it.
  const script = /^bin |^the file given/.test(why)
    ? undefined
    : (await reader.read(dir))?.scripts?.["start"];
  const commands = script === undefined ? [] : nodeCommands(script);
  found.from = "scripts.start";
  for (const { variables, words } of commands) {
    const { flags, program } = splitFlags(words);
    const started = existing(path.resolve(dir, program[0] ?? "."));
    if (started === undefined || realpathSync(started) !== file) continue;
    const more = [...variables.map((one) => `the variable ${one}`), ...program.slice(1)];
    if (more.length > 0) {
      const message = `scripts.start also gives ${more.join(", ")}; the bundle does not, unless --env and --arg say so`;
      found.warnings.push(warning("W_START_SCRIPT", message));
    }
    return flags;
  }
  const others = commands.filter(({ words }) => splitFlags(words).flags.length > 0);
  for (const { words } of others) {
    const message = `scripts.start starts ${words.join(" ")}; what is packed is ${path.relative(dir, file)}, without its flags`;
    found.warnings.push(warning("W_START_SCRIPT", message));
  }
  found.from = "its first line";
  const head = await source.head(source.isDirectory ? path.relative(source.path, file) : "");
  const line = head?.toString("utf8").split("\n", 1)[0] ?? "";
  return line.startsWith("#!") ? splitFlags(shebangWords(line)).flags : [];
}

/** Takes a flag over whose value is a file of the app, or says why not. */
export async function takeFile(found: StartFlags, dir: string, flag: Flag): Promise<void> {
  const { name, value = "" } = flag;
  const kind = NAMES[name] ?? "--require";
  const file = kind === "--env-file" ? path.resolve(dir, value) : await resolved(dir, kind, value);
  if (file === undefined || !existsSync(file)) {
    if (name !== "--env-file-if-exists") notTaken(found, flag, "there is no such file");
    return;
  }
  found.files.push({ kind, flag, file: realpathSync(file) });
  if (kind !== "--env-file") return;
  const message = `${value} is packed, because ${found.from} has ${shown(flag)}: whoever has the file can read it`;
  found.warnings.push(warning("W_ENV_FILE", message));
}

/** Where Node finds what it is to load in front of a program in `dir`; nothing of it is run. */
async function resolved(
  dir: string,
  kind: "--require" | "--import",
  name: string,
): Promise<string | undefined> {
  if (kind === "--import" && /^\.{0,2}\//.test(name)) return path.resolve(dir, name);
  try {
    if (kind === "--require") return createRequire(`${dir}/`).resolve(name);
    const script = `process.stdout.write(new URL(import.meta.resolve(${JSON.stringify(name)})).pathname)`;
    const args = ["--input-type=module", "--eval", script];
    return decodeURIComponent(await runNode(process.execPath, args, { cwd: dir }));
  } catch {
    return undefined;
  }
}

/** Flags that this Node does not start with. Nothing is run: it prints its version. */
async function refused(
  interpreter: Promise<string | undefined>,
  flags: readonly Flag[],
): Promise<Flag[]> {
  if (flags.length === 0) return [];
  const node = await interpreter;
  if (node === undefined) return [];
  const takes = (some: readonly Flag[]) => {
    const words = some.flatMap(({ words: written }) => written);
    return runNode(node, [...words, "--version"], { cwd: "/", env: {} }).then(
      () => true,
      () => false,
    );
  };
  if (await takes(flags)) return [];
  const bad = await Promise.all(flags.map(async (flag) => ((await takes([flag])) ? [] : [flag])));
  return bad.flat();
}

/** For --explain. */
export function explainFlags(
  { others, files, compilers, from }: StartFlags,
  isAsItIs: boolean,
): string[] {
  const taken = [...others, ...files.map(({ flag }) => flag)].map(shown);
  const needless = isAsItIs ? [] : compilers.map(shown);
  return [
    ...(taken.length > 0 ? [`flags of ${from}: ${taken.join(" ")}`] : []),
    ...(needless.length > 0 ? [`bundling does what ${needless.join(" ")} of ${from} is for`] : []),
  ];
}
