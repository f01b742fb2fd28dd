/**
 * What a program imports, and what stands in the way of bundling it.
 *
 * esbuild bundles once without writing. Its warnings say where a name is only known at run time; a
 * search for a few words says where a file asks where it lies or starts another file. Both are
 * asked of every file, so that nothing is bundled on a guess.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { BuildFailure, BuildOptions, BuildResult, Message } from "esbuild";
import { findPackage, wantedNames } from "./installed.ts";
import * as errors from "./node-errors.ts";
import { installedPackage, type PackageReader, packageName } from "./package.ts";

export interface Analysis {
  /** Files that were read, absolute; those of the app and those of packages. */
  files: string[];
  /** Those of them that are ES modules. */
  modules: Set<string>;
  /** Whether the entry is an ES module. */
  isModule: boolean;
  /** By file: why what it loads is not known before it runs. */
  dynamic: Map<string, string>;
  /** By file: why it must know where it lies. */
  located: Map<string, string>;
  /** Packages that are asked for, not installed, and can be done without. */
  missing: Map<string, string>;
}

/** Ids of esbuild's messages about names that it does not see. */
const UNSEEN = {
  "unsupported-require-call": "it requires a name that is only known at run time",
  "unsupported-dynamic-import": "it imports a name that is only known at run time",
  "indirect-require": "it passes require on",
  "require-resolve-not-external": "it asks require.resolve for a place",
} as const;

/** Words by which a file asks for its place, or starts a file beside it. */
const PLACE =
  /\b(?:__dirname|__filename|createRequire|new Worker|fork\(|require\.resolve)|\bimport\.meta\b(?!\.env\b)/;

/** Words by which a file changes how modules are found, or looks for one from its own place. */
const LOADER =
  /\b(?:module\.paths|_resolveFilename|_nodeModulePaths|require\.extensions|module\.parent)\b|\bimport\.meta\.resolve\b|\brequire\.resolve\(\s*["'`]\./;

/** Rounds in which more and more missing packages turn up. */
const MAX_ROUNDS = 20;

/** What both passes of esbuild have in common. */
export function commonOptions(dir: string, node: string | undefined): BuildOptions {
  return {
    absWorkingDir: dir,
    bundle: true,
    platform: "node",
    target: node === undefined ? "node20.19" : `node${node}`,
    write: false,
    metafile: true,
    logLevel: "silent",
  };
}

/**
 * @param dir of the project @param file the entry @param node version of the interpreter
 * @throws E_NODE_BUNDLE, E_NODE_DEPENDENCY
 */
export async function analyse(
  reader: PackageReader,
  dir: string,
  file: string,
  node: string | undefined,
): Promise<Analysis> {
  const missing = new Map<string, string>();
  for (let round = 0; ; round++) {
    const result = await attempt(dir, file, node, [...missing.keys()]);
    if ("metafile" in result) return describe(dir, file, result, missing);
    const found = await tolerated(reader, dir, file, result.errors);
    const before = missing.size;
    for (const [name, importer] of found) missing.set(name, importer);
    if (missing.size === before || round === MAX_ROUNDS) throw bundleFailure(file, result.errors);
  }
}

type Attempt = BuildResult<{ metafile: true }> | BuildFailure;

async function attempt(
  dir: string,
  file: string,
  node: string | undefined,
  external: string[],
): Promise<Attempt> {
  const { build } = await import("esbuild");
  try {
    return await build({
      ...commonOptions(dir, node),
      entryPoints: [file],
      outdir: "/unwritten",
      format: "esm",
      external,
      loader: { ".node": "empty" },
      metafile: true,
      logOverride: Object.fromEntries(Object.keys(UNSEEN).map((id) => [id, "warning" as const])),
    });
  } catch (failure) {
    if (!(failure instanceof Error) || !("errors" in failure)) throw failure;
    return failure as BuildFailure;
  }
}

/** What esbuild says of a failed build; nothing for other failures. */
export function messagesOf(failure: unknown): Message[] {
  const known = failure instanceof Error && "errors" in failure && Array.isArray(failure.errors);
  return known ? (failure.errors as Message[]) : [];
}

/** A failure in esbuild's own words: "part.ts:2:10: Unexpected "=" in `const b = = 2;`". */
export function bundleFailure(entry: string, messages: readonly Message[]): Error {
  const mistakes = messages.map(({ text, location }) => {
    if (location === null) return text;
    const { file, line, column, lineText } = location;
    const source = lineText.trim().slice(0, 120);
    return `${file}:${line}:${column}: ${text} in \`${source}\``;
  });
  return errors.bundleFailed(entry, mistakes);
}

/**
 * Packages that nobody found and that an installed package may do without: optional peers, and what
 * it does not list at all. Under plain Node they fail when they are reached, and so they do here.
 *
 * @throws E_NODE_DEPENDENCY for one that must be there
 */
async function tolerated(
  reader: PackageReader,
  dir: string,
  entry: string,
  messages: Message[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { text, location } of messages) {
    const specifier = /^Could not resolve "([^"]+)"/.exec(text)?.[1];
    if (specifier === undefined || /^[./#]/.test(specifier)) continue;
    const importer = location === null ? entry : path.resolve(dir, location.file);
    const owner = installedPackage(importer);
    const name = packageName(specifier);
    if (findPackage(path.dirname(importer), name) !== undefined) continue; // Installed, but without that file.
    const wanted = owner === undefined ? undefined : wantedNames((await reader.read(owner)) ?? {});
    if (wanted === undefined || wanted.get(name)?.optional === false) {
      const shown = owner === undefined ? path.relative(dir, importer) : path.basename(owner);
      throw errors.dependencyMissing(dir, name, shown);
    }
    found.set(specifier, owner === undefined ? importer : path.basename(owner));
  }
  return found;
}

function describe(
  dir: string,
  entry: string,
  { metafile, warnings }: BuildResult<{ metafile: true }>,
  missing: Map<string, string>,
): Analysis {
  const inputs = Object.entries(metafile.inputs);
  const files = inputs.map(([name]) => path.resolve(dir, name));
  const modules = new Set(files.filter((_, i) => inputs[i]?.[1].format === "esm"));
  const analysis: Analysis = {
    files,
    modules,
    isModule: modules.has(entry),
    dynamic: new Map(),
    located: new Map(),
    missing,
  };
  for (const { id, location } of warnings) {
    if (location === null || !Object.hasOwn(UNSEEN, id)) continue;
    const table = id === "require-resolve-not-external" ? analysis.located : analysis.dynamic;
    table.set(path.resolve(dir, location.file), UNSEEN[id as keyof typeof UNSEEN]);
  }
  for (const file of files) look(file, analysis);
  return analysis;
}

function look(file: string, { located, dynamic }: Analysis): void {
  if (!/\.[cm]?[jt]sx?$|\/[^./]+$/.test(file)) return;
  const text = readFileSync(file, "utf8");
  const place = PLACE.exec(text)?.[0];
  if (place !== undefined) located.set(file, `it uses ${place.replace("(", "")}`);
  const loader = LOADER.exec(text)?.[0];
  if (loader !== undefined) dynamic.set(file, `it uses ${loader}`);
}
