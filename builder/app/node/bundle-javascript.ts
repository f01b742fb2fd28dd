/** One program → one file of JavaScript and its source map, by esbuild. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Loader, Plugin } from "esbuild";
import { renderTemplate } from "../../host/template.ts";
import { bundleFailure, commonOptions, messagesOf } from "./analyse.ts";
import { type External, externalSpecifier, shownPackage } from "./external.ts";
import { installedPackage, type PackageReader } from "./package.ts";

export interface Program {
  /** Absolute path of the source. */
  source: string;
  /** Where its output will be as far as paths go: absolute, beside the source. */
  output: string;
  isModule: boolean;
}

export interface BundledProgram {
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
interface Surroundings {
  /** Folder of the project. */
  dir: string;
  /** Version of the Node that it runs with. */
  node: string | undefined;
  external: External;
  /** Files of the app that must know their place. */
  located: ReadonlySet<string>;
  /** Specifiers that nobody found and that are left to Node. */
  unresolved: readonly string[];
}

/**
 * Bundles a program with all it imports, except the external packages.
 *
 * @throws E_NODE_BUNDLE
 */
export async function bundleProgram(
  program: Program,
  surroundings: Surroundings,
): Promise<BundledProgram> {
  try {
    return await runEsbuild(program, surroundings);
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

async function runEsbuild(
  program: Program,
  { dir, node, external, located, unresolved }: Surroundings,
): Promise<BundledProgram> {
  const { build } = await import("esbuild");
  const { output, isModule } = program;
  const outDir = path.dirname(output);
  const plugins = [
    placePlugin(program, located),
    addonPlugin(outDir),
    externalPlugin(outDir, external),
  ];
  const { outputFiles = [] } = await build({
    ...commonOptions(dir, node),
    entryPoints: [program.source],
    outfile: output,
    format: isModule ? "esm" : "cjs",
    sourcemap: "external",
    sourcesContent: false,
    external: [...unresolved],
    define: PLACES,
    banner: { js: banner(isModule) },
    plugins,
  });
  const file = (ending: string) => outputFiles.find((one) => one.path === `${output}${ending}`);
  const code = file("")?.contents ?? new Uint8Array();
  return { output, isModule, code, map: file(".map")?.contents ?? new Uint8Array() };
}

/** One line, so that it does not move what follows. */
function banner(isModule: boolean): string {
  const names = [isModule ? "node/banner.mjs" : "node/banner.cjs", "node/banner-traces.js"];
  return names
    .flatMap((name) => renderTemplate(name, {}).split("\n"))
    .filter((line) => !line.startsWith("//"))
    .join("");
}

/** Tells the files that ask for it where they would lie. */
function placePlugin(program: Program, located: ReadonlySet<string>): Plugin {
  return {
    name: "place",
    setup(build) {
      if (located.size === 0) return;
      build.onLoad({ filter: exactly(located) }, async ({ path: file }) => {
        const text = await readFile(file, "utf8");
        const place = file === program.source ? program.output : file;
        const relative = path.relative(path.dirname(program.output), place);
        const loader = (path.extname(file).slice(1) || "js").replace(/^[cm]/, "") as Loader;
        return { contents: declarePlace(text, relative, file === program.source), loader };
      });
    },
  };
}

/**
 * The text with its place declared in front, on its first line. A directive must stay the first
 * statement, and a line "#!" is no JavaScript anywhere else.
 *
 * @internal
 */
export function declarePlace(text: string, relative: string, isEntry: boolean): string {
  const place = JSON.stringify(relative);
  const declared =
    `const __fuselage_filename=__fuselage_resolve(${place}),` +
    `__fuselage_dirname=__fuselage_above(__fuselage_filename),` +
    `__fuselage_url=__fuselage_href(__fuselage_filename),` +
    `__fuselage_main=${isEntry ? "__fuselage_started" : "false"};`;
  const rest = text.replace(/^\uFEFF/, "").replace(/^#!/, "//");
  const strict = /^(?:\s|\/\/[^\n]*\n|\/\*[\s\S]*?\*\/)*(["'])use strict\1/.test(rest);
  return `${strict ? '"use strict";' : ""}${declared}${rest}`;
}

/** Addons of the app itself are loaded from where they lie. */
function addonPlugin(outDir: string): Plugin {
  return {
    name: "addon",
    setup(build) {
      build.onResolve({ filter: /^\.{1,2}\/.*\.node$/ }, ({ path: name, resolveDir }) => {
        const file = path.resolve(resolveDir, name);
        if (installedPackage(file) !== undefined) return undefined;
        const relative = path.relative(outDir, file);
        return { path: relative.startsWith("../") ? relative : `./${relative}`, external: true };
      });
    },
  };
}

function externalPlugin(outDir: string, external: External): Plugin {
  return {
    name: "external",
    setup(build) {
      const names = new Set([...external.packages, ...external.links.keys()].map(shownPackage));
      if (names.size === 0) return;
      const filter = new RegExp(`^(?:${[...names].map(escaped).join("|")})(?:/|$)`);
      build.onResolve({ filter }, async (args) => {
        if (args.pluginData === external) return undefined;
        const { importer, resolveDir, kind } = args;
        const options = { importer, resolveDir, kind, pluginData: external };
        const resolved = await build.resolve(args.path, options);
        if (resolved.errors.length > 0 || resolved.external) return undefined;
        const owner = installedPackage(resolved.path);
        if (owner === undefined || !external.packages.has(owner)) return undefined;
        return { path: externalSpecifier(outDir, args.path, resolved.path), external: true };
      });
    },
  };
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Go's regular expressions, which esbuild uses, know these escapes too. */
function exactly(files: ReadonlySet<string>): RegExp {
  return new RegExp(`^(?:${[...files].map(escaped).join("|")})$`);
}
