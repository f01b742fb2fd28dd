/** Sources as the bundler gets them: with their place declared, with names that stay. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Loader, Plugin } from "esbuild";
import { type Learned, learnedBy } from "../../host/learned.ts";
import { targetOf } from "./analyse.ts";
import type { DecoratorMetadata } from "./decorators.ts";
import { type Insertion, insertInto, namesToInsert } from "./names.ts";
import { installedPackage } from "./package.ts";
import type { Renamed } from "./renamed.ts";
import { TYPED } from "./resolve-plugin.ts";

/** What has to be changed in single sources. */
export interface SourceChanges {
  /** Folder of the project. */
  dir: string;
  /** The file that is written: absolute. */
  output: string;
  node: string | undefined;
  decorators: DecoratorMetadata;
  /** Files that must know their place: each relative to the output, or as what starts. */
  located: ReadonlyMap<string, { place: string; isEntry: boolean }>;
  /** Files that only package.json makes modules. */
  unmarked: ReadonlySet<string>;
  /** Files that are ES modules. */
  modules: ReadonlySet<string>;
  /** CommonJS that tells what it exports. */
  noted: ReadonlySet<string>;
  /** What stands in place of a source: JavaScript that names itself. */
  readonly restored: Map<string, string>;
}

/** Serves the changed sources; which ones are restored may change between two rounds of the bundler. */
export function sourcePlugin(changes: SourceChanges): Plugin {
  const { output, located, unmarked, noted, restored, decorators } = changes;
  const changed = new Set([...located.keys(), ...unmarked, ...noted]);
  return {
    name: "sources",
    setup(build) {
      build.onLoad({ filter: /.*/, namespace: "file" }, async ({ path: file }) => {
        const replaced = restored.get(file);
        if (replaced === undefined && !changed.has(file)) return undefined;
        const compiled = replaced ?? (await decorators.compiled(file));
        let contents = compiled ?? readFileSync(file, "utf8");
        const at = located.get(file);
        if (at !== undefined) contents = declarePlace(contents, at.place, at.isEntry);
        if (noted.has(file)) {
          const place = JSON.stringify(path.relative(path.dirname(output), file));
          contents = inFront(contents, `__fuselage_note(${place},module);`);
        }
        if (unmarked.has(file)) contents = `${contents}\nexport {};`;
        const ending = (path.extname(file).slice(1) || "js").replace(/^[cm]/, "") as Loader;
        const loader = file.endsWith("x") ? "jsx" : "js";
        return { contents, loader: compiled === undefined ? ending : loader };
      });
    },
  };
}

/**
 * The text with its place declared in front, on its first line.
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
  return inFront(text, declared);
}

/** A directive must stay the first statement, and a line "#!" is no JavaScript anywhere else. */
function inFront(text: string, statements: string): string {
  const rest = text.replace(/^\uFEFF/, "").replace(/^#!/, "//");
  const strict = /^(?:\s|\/\/[^\n]*\n|\/\*[\s\S]*?\*\/)*(["'])use strict\1/.test(rest);
  return `${strict ? '"use strict";' : ""}${statements}${rest}`;
}

/** A source to restore names in. */
interface Wanted {
  file: string;
  /** JavaScript. */
  script: string;
  names: ReadonlySet<string>;
  hasClass: boolean;
}

/**
 * Sources in which functions and classes would get other names, with their names restored.
 *
 * @param files of the bundle
 * @param renamed what the bundler has changed; before it is asked, only a default without a name is known
 *   to get another one
 */
export async function restoredSources(
  { dir, node, decorators, modules }: SourceChanges,
  files: Iterable<string>,
  renamed?: Renamed,
): Promise<Map<string, string>> {
  const wanted: Wanted[] = [];
  for (const file of files) {
    const isTyped = TYPED.test(file);
    // Only a module has a default.
    if (renamed === undefined && !isTyped && !modules.has(file)) continue;
    if (!/\.[cm]?[jt]sx?$|\/[^./]+$/.test(file)) continue;
    const text = readFileSync(file, "utf8");
    const names = namesIn(file, text, renamed, modules.has(file));
    const isMatter =
      names.size > 0 || renamed?.hasClass(text) === true || /\bexport\s+default\b/.test(text);
    if (!isMatter) continue;
    const script = isTyped
      ? ((await decorators.compiled(file)) ?? (await asJavaScript(dir, node, file)))
      : text.replace(/^\uFEFF/, "");
    wanted.push({ file, script, names, hasClass: renamed?.hasClass(text) ?? false });
  }
  const isInstalled = ({ file }: Wanted) => installedPackage(file) !== undefined;
  const [installed, own] = [wanted.filter(isInstalled), wanted.filter((one) => !isInstalled(one))];
  const learned = learnedBy(import.meta.url);
  const found = new Map<string, string>();
  for (const [{ file, script }, insertions] of [
    ...(await insertionsFor(installed, learned)),
    ...own.map((one): [Wanted, Insertion[]] => [one, insertionsOf(one)]),
  ]) {
    if (insertions.length > 0) found.set(file, insertInto(script, insertions));
  }
  return found;
}

const insertionsOf = ({ script, names, hasClass }: Wanted) =>
  namesToInsert(script, names, hasClass);

/** Packages are the same at every build of an app, and to parse them takes a tenth of one. */
async function insertionsFor(
  wanted: readonly Wanted[],
  learned: Learned,
): Promise<[Wanted, Insertion[]][]> {
  if (wanted.length === 0) return [];
  const from = wanted.map(({ script, names, hasClass }) => [
    createHash("sha256").update(script, "utf16le").digest("hex"),
    [...names].sort(),
    hasClass,
  ]);
  const insertions = await learned.value(["names", ...from], async () => wanted.map(insertionsOf));
  return wanted.map((one, i) => [one, insertions[i] ?? []]);
}

/** What stands around CommonJS is named anew in every bundle, and is no function of its own. */
function namesIn(
  file: string,
  text: string,
  renamed: Renamed | undefined,
  isModule: boolean,
): ReadonlySet<string> {
  const names = renamed?.of(file, text) ?? new Set<string>();
  if (isModule || TYPED.test(file)) return names;
  return new Set([...names].filter((name) => !/^(?:exports|module|require)$/.test(name)));
}

/** A source in TypeScript by the rules of its tsconfig.json, with its map inside. */
async function asJavaScript(dir: string, node: string | undefined, file: string): Promise<string> {
  const { build } = await import("esbuild");
  const { outputFiles = [] } = await build({
    absWorkingDir: dir,
    platform: "node",
    target: targetOf(node),
    write: false,
    logLevel: "silent",
    entryPoints: [file],
    outdir: path.dirname(file),
    sourcemap: "inline",
    sourcesContent: false,
  });
  return outputFiles[0]?.text ?? "";
}
