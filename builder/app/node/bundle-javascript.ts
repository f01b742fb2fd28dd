/** One program → one file of JavaScript and its source map, by esbuild; for CommonJS a second one. */
import path from "node:path";
import type { BuildOptions } from "esbuild";
import { renderTemplate } from "../../host/template.ts";
import { type Analysis, bundleFailure, commonOptions, messagesOf } from "./analyse.ts";
import { partEntry } from "./commonjs-part.ts";
import type { DecoratorMetadata } from "./decorators.ts";
import type { External } from "./external.ts";
import { Link } from "./link.ts";
import { installedPackage, type PackageReader } from "./package.ts";
import { Renamed } from "./renamed.ts";
import type { NodeResolver } from "./resolution.ts";
import { restoredSources, type SourceChanges, sourcePlugin } from "./sources.ts";

export interface Program {
  /** Absolute path of the source. */
  source: string;
  /** Where its output will be as far as paths go: absolute, beside the source. */
  output: string;
  isModule: boolean;
}

/** A file of the bundle. */
export interface BundledFile {
  output: string;
  isModule: boolean;
  code: Uint8Array;
  map: Uint8Array;
}

/** Names that stand for a file's own place; each is declared in the files that use it. */
const PLACES = {
  __dirname: "__fuselage_dirname",
  __filename: "__fuselage_filename",
  "import.meta.dirname": "__fuselage_dirname",
  "import.meta.filename": "__fuselage_filename",
  "import.meta.main": "__fuselage_main",
  "import.meta.url": "__fuselage_url",
  "require.cache": "__fuselage_cache",
} as const;

/**
 * Where the output of a program stands. The ending must tell Node whether it is a module, so it
 * follows package.json.
 *
 * @param name the name that others start it by: it stays, and decides
 */
export async function programFor(
  reader: PackageReader,
  source: string,
  isModule: boolean,
  name?: string,
): Promise<Program> {
  const { ext, name: stem, dir } = path.parse(source);
  const above = await reader.above(dir);
  const inModule = above !== undefined && (await reader.read(above))?.type === "module";
  if (name !== undefined && !/ts$/.test(name)) {
    const ending = path.extname(name);
    return { source, output: name, isModule: ending === ".js" ? inModule : ending === ".mjs" };
  }
  const fixed = ext === ".mjs" ? true : ext === ".cjs" ? false : undefined;
  if (fixed === isModule || ((ext === ".js" || ext === "") && inModule === isModule)) {
    return { source, output: source, isModule };
  }
  const ending = inModule === isModule ? ".js" : isModule ? ".mjs" : ".cjs";
  return { source, output: name ?? path.join(dir, `${stem}${ending}`), isModule };
}

/** What a program is bundled with. */
export interface Surroundings {
  /** Folder of the project. */
  dir: string;
  /** Version of the Node that it runs with. */
  node: string | undefined;
  resolver: NodeResolver;
  decorators: DecoratorMetadata;
  analysis: Analysis;
  external: External;
  /** Files of the app that must know their place. */
  located: ReadonlySet<string>;
  /** Whether CommonJS that modules import is a file of its own. */
  split: boolean;
  /** Whether what packages say of themselves is not believed, and names stay. */
  strict: boolean;
}

/**
 * Bundles a program with all it imports, except the external packages.
 *
 * @returns the program, and the CommonJS part where it has one
 * @throws E_NODE_BUNDLE
 */
export async function bundleProgram(
  program: Program,
  surroundings: Surroundings,
): Promise<BundledFile[]> {
  try {
    return await bundleParts(program, surroundings);
  } catch (failure) {
    // A worker "x.js" of a package that is no module, with an await that only modules have: Node
    // finds out by itself that it is one.
    const messages = messagesOf(failure);
    const waits = messages.some(({ text }) => text.startsWith("Top-level await"));
    if (waits && !program.isModule)
      return bundleProgram({ ...program, isModule: true }, surroundings);
    if (messages.length === 0) throw failure;
    throw bundleFailure(program.source, messages);
  }
}

async function bundleParts(program: Program, surroundings: Surroundings): Promise<BundledFile[]> {
  const { output, isModule, source } = program;
  const { dir, analysis, external, resolver, split } = surroundings;
  const name = `${path.basename(output, path.extname(output))}.commonjs.cjs`;
  const part = split && isModule ? `./${name}` : undefined;
  const link = new Link({ dir, analysis, external, resolver, output, part });
  const main = await settle(program, surroundings, link, {
    entryPoints: [source],
    outfile: output,
    format: isModule ? "esm" : "cjs",
    banner: { js: banner(isModule ? "banner.mjs" : "banner.cjs", "banner-traces.js") },
  });
  if (link.needed.size === 0) return [{ output, isModule, ...main }];
  const partOutput = path.join(path.dirname(output), name);
  const rest = await settle(program, surroundings, link, {
    stdin: { contents: partEntry(link.needed), resolveDir: dir, sourcefile: name },
    outfile: partOutput,
    format: "cjs",
    // The module in front of it has set what concerns stacks already.
    banner: { js: banner("banner.cjs") },
  });
  return [
    { output, isModule, ...main },
    { output: partOutput, isModule: false, ...rest },
  ];
}

/** Runs esbuild until nothing is missing and nothing has another name than in the sources. */
async function settle(
  program: Program,
  surroundings: Surroundings,
  link: Link,
  own: BuildOptions,
): Promise<{ code: Uint8Array; map: Uint8Array }> {
  const { context } = await import("esbuild");
  const { dir, node, decorators, located, analysis, strict } = surroundings;
  const { output } = program;
  const changes: SourceChanges = {
    dir,
    output,
    node,
    decorators,
    located: new Map([...located].map((file) => [file, placeOf(file, program)])),
    unmarked: analysis.unmarked,
    modules: analysis.modules,
    noted: notedFiles(surroundings),
    restored: new Map(),
  };
  // What is known to get another name before anything is bundled spares a round.
  if (strict) await restore(changes, bundledFiles(surroundings));
  const rounds = await context({
    ...commonOptions(dir, node),
    ...own,
    metafile: true,
    sourcemap: "external",
    sourcesContent: false,
    define: PLACES,
    ignoreAnnotations: strict,
    plugins: [link.plugin(), sourcePlugin(changes), decorators.plugin()],
  });
  try {
    for (let isRestored = false; ; ) {
      const result = await rounds.rebuild().catch((failure: unknown) => {
        if (link.learn(messagesOf(failure))) return undefined;
        throw failure;
      });
      if (result === undefined) continue;
      const target = own.outfile ?? output;
      const file = (ending: string) =>
        result.outputFiles?.find((one) => one.path === `${target}${ending}`);
      const code = file("")?.contents ?? new Uint8Array();
      const map = file(".map")?.contents ?? new Uint8Array();
      if (!strict || isRestored) return { code, map };
      isRestored = true;
      const files = Object.keys(result.metafile?.inputs ?? {}).map((name) =>
        path.resolve(dir, name),
      );
      const known = files.filter((name) => analysis.imports.has(name));
      if (!(await restore(changes, known, new Renamed(target, code, map, { dir, files }))))
        return { code, map };
    }
  } finally {
    await rounds.dispose();
  }
}

/** @returns whether some source is there in another form than before */
async function restore(
  changes: SourceChanges,
  files: readonly string[],
  renamed?: Renamed,
): Promise<boolean> {
  let isMore = false;
  for (const [file, text] of await restoredSources(changes, files, renamed)) {
    isMore ||= changes.restored.get(file) !== text;
    changes.restored.set(file, text);
  }
  return isMore;
}

function bundledFiles({ analysis, external }: Surroundings): string[] {
  return analysis.files.filter((file) => !external.packages.has(installedPackage(file) ?? ""));
}

/** CommonJS that tells what it exports, where somebody looks for it in require.cache. */
function notedFiles(surroundings: Surroundings): Set<string> {
  const { analysis, strict } = surroundings;
  const { cacheReaders, modules } = analysis;
  const files = bundledFiles(surroundings);
  if (!strict || !files.some((file) => cacheReaders.has(file))) return new Set();
  return new Set(files.filter((file) => /\.c?[jt]s$/.test(file) && !modules.has(file)));
}

function placeOf(file: string, { source, output }: Program) {
  const isEntry = file === source;
  return { place: path.relative(path.dirname(output), isEntry ? output : file), isEntry };
}

/** One line, so that it does not move what follows. */
function banner(...names: string[]): string {
  return names
    .flatMap((name) => renderTemplate(`node/${name}`, {}).split("\n"))
    .filter((line) => !line.startsWith("//"))
    .join("");
}
