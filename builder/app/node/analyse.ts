/**
 * What a program imports, and what stands in the way of bundling it.
 *
 * esbuild bundles once without writing, with the files that Node would load. Its warnings say where a
 * name is only known at run time; a search for a few words says where a file asks where it lies, or
 * changes how others are loaded. All is asked of every file, so that nothing is bundled on a guess.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { BuildOptions, BuildResult, Message, Metafile, Plugin } from "esbuild";
import { BundleError, limitOfTool } from "../../errors.ts";
import { earlyReads } from "./cycles.ts";
import { DecoratorMetadata } from "./decorators.ts";
import { findPackage, wantedNames } from "./installed.ts";
import * as errors from "./node-errors.ts";
import { installedPackage, type PackageReader, packageName, shownPackage } from "./package.ts";
import { canParse, isGuarded } from "./parse.ts";
import { type Loading, NodeResolver } from "./resolution.ts";
import { loadingOf, resolvePlugin, TYPED, type Unfound } from "./resolve-plugin.ts";
import { suspect } from "./suspects.ts";

interface Imported {
  /** As the source has it. */
  name: string;
  /** Absolute, links followed. */
  file: string;
  loading: Loading;
  /** Whether it is loaded when a call is reached, not before the file runs. */
  isLater: boolean;
}

export interface Analysis {
  /** Files that were read, absolute; those of the app and those of packages. */
  files: string[];
  /** By file: the names that it imports by, and the files that they mean. */
  imports: Map<string, Imported[]>;
  /** Those of them that are ES modules for Node. */
  modules: Set<string>;
  /** Those of the modules that only package.json makes one. */
  unmarked: Set<string>;
  /** Whether the entry is an ES module. */
  isModule: boolean;
  /** By file: why what it loads is not known before it runs. */
  dynamic: Map<string, string>;
  /** By file: why it must know where it lies. */
  located: Map<string, string>;
  /** By file: why nothing can be bundled, for it reaches into how modules are loaded. */
  hooks: Map<string, string>;
  /** Files that look at require.cache. */
  cacheReaders: Set<string>;
  /** Names that lead nowhere and that can be done without: who asks for them. */
  missing: Map<string, string>;
}

/** Ids of esbuild's messages about what it does not see. */
const UNSEEN = {
  "unsupported-require-call": "it requires a name that is only known at run time",
  "unsupported-dynamic-import": "it imports a name that is only known at run time",
  "indirect-require": "it passes require on",
  "require-resolve-not-external": "it asks require.resolve for a place",
  "direct-eval": "it evaluates text that can name what is around it",
} as const;

/** What the packed Node understands. */
export const targetOf = (node: string | undefined) => `node${node ?? "20.19"}`;

/** What both passes of esbuild have in common. */
export function commonOptions(dir: string, node: string | undefined): BuildOptions {
  return {
    absWorkingDir: dir,
    bundle: true,
    platform: "node",
    // Without it esbuild adds "module", which Node does not know.
    conditions: [],
    mainFields: ["main"],
    target: targetOf(node),
    write: false,
    metafile: true,
    logLevel: "silent",
  };
}

/** What the rounds of one analysis learn. */
interface Look {
  reader: PackageReader;
  resolver: NodeResolver;
  dir: string;
  entry: string;
  node: string | undefined;
  decorators: DecoratorMetadata;
  /** Files that esbuild cannot read, with what it says; they count as empty. */
  refused: Map<string, Message>;
  /** Endings that are none of JavaScript. */
  endings: Set<string>;
  unfound: Map<string, Unfound>;
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
  decorators = new DecoratorMetadata(dir, false),
): Promise<Analysis> {
  const look: Look = {
    reader,
    resolver: new NodeResolver(node),
    dir,
    entry: file,
    node,
    decorators,
    refused: new Map(),
    endings: new Set(),
    unfound: new Map(),
  };
  for (;;) {
    const result = await attempt(look);
    if (!Array.isArray(result)) return describe(look, result);
    const before = look.refused.size + look.endings.size;
    let isOther = false;
    for (const message of result) {
      if (await isType(look, message)) isOther = true;
      else note(look, message);
    }
    if (!isOther && look.refused.size + look.endings.size === before)
      throw bundleFailure(file, result);
  }
}

/** Whether a failure is about a type that a compiler of single files takes for a value; it is none now. */
async function isType({ dir, decorators }: Look, { text, location }: Message): Promise<boolean> {
  const [, of = "", name = ""] =
    /^No matching export in "(.*)" for import "(.*)"$/.exec(text) ?? [];
  if (location === null || !TYPED.test(of)) return false;
  return decorators.forget(path.resolve(dir, location.file), name);
}

/** @returns what esbuild says when it fails */
async function attempt(look: Look): Promise<BuildResult<{ metafile: true }> | Message[]> {
  const { build } = await import("esbuild");
  const { dir, node, entry, refused, endings, unfound, resolver, decorators } = look;
  const loaders = [...endings].map((ending) => [ending, "empty" as const]);
  try {
    return await build({
      ...commonOptions(dir, node),
      entryPoints: [entry],
      outdir: "/unwritten",
      format: "esm",
      loader: { ".node": "empty", ...Object.fromEntries(loaders) },
      metafile: true,
      logOverride: Object.fromEntries(Object.keys(UNSEEN).map((id) => [id, "warning" as const])),
      plugins: [
        resolvePlugin(resolver, (one) => unfound.set(`${one.importer}\0${one.name}`, one)),
        emptyPlugin(refused),
        decorators.plugin(),
      ],
    });
  } catch (failure) {
    const messages = messagesOf(failure);
    // A failure of ours comes back as it was thrown.
    const [ours] = messages.flatMap(({ detail }) =>
      detail instanceof BundleError ? [detail] : [],
    );
    if (messages.length === 0 || ours !== undefined) throw ours ?? failure;
    return messages;
  }
}

function emptyPlugin(files: ReadonlyMap<string, unknown>): Plugin {
  return {
    name: "empty",
    setup(build) {
      if (files.size === 0) return;
      build.onLoad({ filter: exactly(files.keys()) }, () => ({ contents: "", loader: "js" }));
    },
  };
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Go's regular expressions, which esbuild uses, know these escapes too. */
function exactly(files: Iterable<string>): RegExp {
  return new RegExp(`^(?:${[...files].map(escaped).join("|")})$`);
}

/** Remembers what a failure is about, so that the next round goes without it. */
function note({ dir, refused, endings }: Look, message: Message): void {
  const ending = /^No loader is configured for "(\.[^"]+)" files/.exec(message.text)?.[1];
  if (ending !== undefined) endings.add(ending);
  else if (message.location !== null) {
    const file = path.resolve(dir, message.location.file);
    if (!refused.has(file)) refused.set(file, message);
  }
}

/** What esbuild says of a failed build; nothing for other failures. */
export function messagesOf(failure: unknown): Message[] {
  const known = failure instanceof Error && "errors" in failure && Array.isArray(failure.errors);
  return known ? (failure.errors as Message[]) : [];
}

/** A failure in esbuild's own words: "part.ts:2:10: Unexpected "=" in `const b = = 2;`". */
export function bundleFailure(entry: string, messages: readonly Message[]): Error {
  const refused = messages.find(({ text }) => text.includes("too many open files"));
  if (refused !== undefined) return limitOfTool(`esbuild: ${refused.text}`);
  const mistakes = messages.map(({ text, location }) => {
    if (location === null) return text;
    const { file, line, column, lineText } = location;
    const source = lineText.trim().slice(0, 120);
    return `${file}:${line}:${column}: ${text} in \`${source}\``;
  });
  return errors.bundleFailed(entry, mistakes);
}

async function describe(
  look: Look,
  { metafile, warnings }: BuildResult<{ metafile: true }>,
): Promise<Analysis> {
  const { dir, entry, resolver, refused } = look;
  const inputs = new Map(
    Object.entries(metafile.inputs).map(([name, input]) => [path.resolve(dir, name), input]),
  );
  const files = [...inputs.keys()];
  const modules = new Set(
    files.filter((file) => isModule(resolver, file, inputs.get(file)?.format)),
  );
  const analysis: Analysis = {
    files,
    imports: new Map([...inputs].map(([file, { imports }]) => [file, importsOf(dir, imports)])),
    modules,
    unmarked: new Set([...modules].filter((file) => inputs.get(file)?.format !== "esm")),
    isModule: modules.has(entry),
    dynamic: new Map(),
    located: new Map(),
    hooks: new Map(),
    cacheReaders: new Set(),
    missing: new Map(),
  };
  for (const { id, location } of warnings) {
    if (location === null || !Object.hasOwn(UNSEEN, id)) continue;
    const table = id === "require-resolve-not-external" ? analysis.located : analysis.dynamic;
    table.set(path.resolve(dir, location.file), UNSEEN[id as keyof typeof UNSEEN]);
  }
  for (const [file, { imports }] of inputs) {
    lookAtText(file, analysis);
    if (imports.some((one) => isGlob(one, file))) {
      analysis.dynamic.set(file, UNSEEN["unsupported-require-call"]);
    }
  }
  for (const [file, name] of earlyReads(analysis, entry)) {
    analysis.dynamic.set(file, `it reads ${name} before the module that has it has run`);
  }
  const reached = reachable(analysis.imports, entry);
  noteRefused(look, analysis, reached);
  noteEndings(look, analysis, reached);
  for (const unfound of look.unfound.values()) {
    if (refused.has(unfound.importer)) continue;
    await noteUnfound(look, analysis, reached, unfound);
  }
  return analysis;
}

/** Node goes by the ending, then by package.json, then by what the file says. */
function isModule(
  resolver: NodeResolver,
  file: string,
  syntax: "cjs" | "esm" | undefined,
): boolean {
  if (/\.m[jt]s$/.test(file)) return true;
  if (/\.(?:c[jt]s|json|node)$/.test(file)) return false;
  if (syntax !== undefined) return syntax === "esm";
  return /\.[jt]sx?$/.test(file) && resolver.typeOf(path.dirname(file)) === "module";
}

type MetafileImport = Metafile["inputs"][string]["imports"][number];

function importsOf(dir: string, imports: readonly MetafileImport[]): Imported[] {
  return imports
    .filter(({ external }) => external !== true)
    .map(({ path: file, original, kind }) => ({
      name: original ?? "",
      file: path.resolve(dir, file),
      loading: loadingOf(kind),
      isLater: kind !== "import-statement",
    }));
}

/**
 * A name of which a part is an expression. esbuild puts in all files that it could mean by their whole
 * names; what Node makes of it, with endings and folders, only runs. TypeScript that writes the ending
 * means such files.
 */
function isGlob({ path: name, original, external }: MetafileImport, importer: string): boolean {
  if (external !== true || original !== undefined || !name.includes("*")) return false;
  return !(TYPED.test(importer) && /\*\.\w+$/.test(name));
}

/** Files that are imported by name, without those that only fit an expression. */
function reachable(imports: Analysis["imports"], entry: string): Set<string> {
  const found = new Set([entry]);
  for (const file of found) {
    for (const one of imports.get(file) ?? []) found.add(one.file);
  }
  return found;
}

function lookAtText(file: string, { located, dynamic, hooks, cacheReaders }: Analysis): void {
  if (!/\.[cm]?[jt]sx?$|\/[^./]+$/.test(file)) return;
  const { place, loader, hook, readsCache } = suspect(readFileSync(file, "utf8"));
  if (readsCache) cacheReaders.add(file);
  if (place !== undefined) located.set(file, `it uses ${place}`);
  if (loader !== undefined) dynamic.set(file, `it uses ${loader}`);
  if (hook !== undefined) hooks.set(file, `it uses ${hook}`);
}

/**
 * Files that esbuild cannot bundle. One that Node reads stays as it is: `with`, octal numbers, an
 * await that only modules have.
 *
 * @throws E_NODE_BUNDLE for a mistake in the app
 */
function noteRefused({ entry, refused }: Look, analysis: Analysis, reached: Set<string>): void {
  const mistakes: Message[] = [];
  for (const [file, message] of refused) {
    const isOwn = installedPackage(file) === undefined;
    if (isOwn && reached.has(file) && !canParse(file)) mistakes.push(message);
    else analysis.dynamic.set(file, `it cannot be bundled (${message.text})`);
  }
  if (mistakes.length > 0) throw bundleFailure(entry, mistakes);
}

/** Node reads a file of any ending as JavaScript when it is required. */
function noteEndings({ entry, endings }: Look, analysis: Analysis, reached: Set<string>): void {
  if (endings.size === 0) return;
  for (const [importer, imported] of analysis.imports) {
    const strange = imported.find(({ file }) => endings.has(path.extname(file)));
    if (strange === undefined || !reached.has(importer)) continue;
    if (TYPED.test(importer)) {
      const text = `${importer} imports ${strange.name}, which Node cannot load`;
      throw errors.bundleFailed(entry, [text]);
    }
    analysis.dynamic.set(importer, `it loads ${strange.name}, which is no JavaScript`);
  }
}

/**
 * Names that lead nowhere. An installed package may go without optional peers, without what it does
 * not list, and without files of its own: under plain Node it fails when it reaches them, and so it
 * does here. So may the app what it tries.
 *
 * @throws E_NODE_DEPENDENCY for what must be there
 */
async function noteUnfound(
  { reader, dir, entry }: Look,
  analysis: Analysis,
  reached: Set<string>,
  { importer, name, loading, reason }: Unfound,
): Promise<void> {
  if (loading === "import" && /^\.{0,2}\/.*[?#]/.test(name)) {
    analysis.dynamic.set(
      importer,
      `it imports ${name}, and a query makes another module of a file`,
    );
    return;
  }
  const owner = installedPackage(importer);
  const isOther = !/^\.{0,2}\/|^\.{1,2}$|^#/.test(name);
  const wanted = owner === undefined ? undefined : wantedNames((await reader.read(owner)) ?? {});
  const shown = owner === undefined ? path.relative(dir, importer) : shownPackage(owner);
  const other = packageName(name);
  const isInstalled = findPackage(path.dirname(importer), other) !== undefined;
  const isNeeded = isOther && !isInstalled && wanted?.get(other)?.optional === false;
  if (isNeeded && reached.has(importer)) throw errors.dependencyMissing(dir, other, shown);
  if (owner !== undefined) {
    // From the bundle the same name could lead to another file.
    if (!isOther) analysis.dynamic.set(importer, `it may ask for ${name}, and ${reason}`);
    else analysis.missing.set(name, shown);
    return;
  }
  if (!reached.has(importer) || (analysis.dynamic.size > 0 && isOwnDynamic(analysis))) return;
  if (isGuarded(importer, name, loading)) {
    analysis.missing.set(name, shown);
    return;
  }
  if (analysis.hooks.size > 0) return;
  if (isOther && !isInstalled) throw errors.dependencyMissing(dir, other, shown);
  throw errors.bundleFailed(entry, [`${shown}: Could not resolve "${name}": ${reason}`]);
}

const isOwnDynamic = ({ dynamic }: Analysis) =>
  [...dynamic.keys()].some((file) => installedPackage(file) === undefined);

/** Where CommonJS loads an ES module. One file cannot be both strict and sloppy. */
export function crossings({ imports, modules }: Analysis): { importer: string; file: string }[] {
  const found: { importer: string; file: string }[] = [];
  for (const [importer, imported] of imports) {
    if (modules.has(importer)) continue;
    for (const { file } of imported) if (modules.has(file)) found.push({ importer, file });
  }
  return found;
}
