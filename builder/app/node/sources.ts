/** Sources as the bundler gets them: with their place declared, with names that stay. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Loader, Plugin } from "esbuild";
import { exactly, targetOf } from "./analyse.ts";
import type { DecoratorMetadata } from "./decorators.ts";
import { restoreNames } from "./names.ts";
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
  restored: ReadonlyMap<string, string>;
}

/** Serves the changed sources. */
export function sourcePlugin({
  output,
  located,
  unmarked,
  noted,
  restored,
  decorators,
}: SourceChanges): Plugin {
  return {
    name: "sources",
    setup(build) {
      const files = new Set([...located.keys(), ...unmarked, ...noted, ...restored.keys()]);
      if (files.size === 0) return;
      build.onLoad({ filter: exactly(files) }, async ({ path: file }) => {
        const replaced = restored.get(file);
        const compiled = replaced ?? (await decorators.compiled(file));
        let contents = compiled ?? (await readFile(file, "utf8"));
        const at = located.get(file);
        if (at !== undefined) contents = declarePlace(contents, at.place, at.isEntry);
        if (noted.has(file)) {
          const place = JSON.stringify(path.relative(path.dirname(output), file));
          contents = inFront(contents, `__fuselage_note(${place},module);`);
        }
        if (unmarked.has(file)) contents = `${contents}\nexport {};`;
        const ending = (path.extname(file).slice(1) || "js").replace(/^[cm]/, "") as Loader;
        return { contents, loader: compiled === undefined ? ending : "js" };
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

/**
 * Sources in which functions and classes would get other names, with their names restored.
 *
 * @param files of the bundle @param renamed names that the bundler has changed
 */
export async function restoredSources(
  { dir, node, decorators, modules }: SourceChanges,
  files: Iterable<string>,
  renamed: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  // What stands around CommonJS is named anew in every bundle, and is no function of its own.
  const own = new Set([...renamed].filter((name) => !/^(?:exports|module|require)$/.test(name)));
  for (const file of files) {
    if (!/\.[cm]?[jt]sx?$|\/[^./]+$/.test(file)) continue;
    const text = await readFile(file, "utf8");
    if (!TYPED.test(file)) {
      const named = restoreNames(text.replace(/^\uFEFF/, ""), modules.has(file) ? renamed : own);
      if (named !== undefined) found.set(file, named);
    } else if (mentions(text, renamed)) {
      const named = restoreNames(
        (await decorators.compiled(file)) ?? (await asJavaScript(dir, node, file)),
        renamed,
      );
      if (named !== undefined) found.set(file, named);
    }
  }
  return found;
}

function mentions(text: string, names: ReadonlySet<string>): boolean {
  if (/\bexport\s+default\b/.test(text)) return true;
  return [...text.matchAll(/[\w$]+/g)].some(([word]) => names.has(word));
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
