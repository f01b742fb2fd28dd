/**
 * bundle.config.json, .ts and .mjs: found, read, checked.
 *
 * TypeScript and JavaScript are bundled by esbuild and imported from memory: nothing is written
 * beside the file, and `fuselage-bundle` itself, whose `defineConfig` such files import, need not be
 * installed where they are.
 */
import { stat } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import * as errors from "../errors.ts";
import { configKeys } from "../generated/spec.ts";
import { requireSettingsFiles } from "../host/settings-files.ts";
import { readRegularFile } from "../host/status.ts";
import {
  type ImageReference,
  namesImage,
  parseReference,
  pathOf,
  shownReference,
} from "../oci/reference.ts";
import type { BuildOptions } from "./build-options.ts";
import { nearest } from "./nearest-name.ts";
import { checkOption } from "./validate.ts";

/** What is longer was not written as configuration. Bytes. */
const MAX_BYTES = 1 << 24;

/** What a configuration file may hold: all options of a build but callbacks. */
export type BundleConfig = Partial<
  Omit<BuildOptions, "onFetch" | "onProgress" | "onReport" | "onStep" | "signal">
> & {
  /** Not looked at: the schema, for editors. */
  $schema?: string;
};

/**
 * Gives a configuration file its types.
 *
 * @example
 * ```js
 * import { defineConfig } from "fuselage-bundle";
 *
 * // In bundle.config.mjs or bundle.config.ts this is the default export.
 * const config = defineConfig({ name: "greet", exclude: ["*.map"], compression: "gzip" });
 * console.log(config.name); // greet
 * ```
 */
export function defineConfig(config: BundleConfig): BundleConfig {
  return config;
}

/** Names that are looked for in the folder that is packed. */
const NAMES = ["bundle.config.json", "bundle.config.ts", "bundle.config.mjs"];

/** A configuration file that was read. */
export interface LoadedConfig {
  /** Absolute path of the file. */
  file: string;
  /** What it holds; paths are absolute. */
  options: BundleConfig;
}

/**
 * The configuration file of a folder.
 *
 * @returns its path, or undefined when there is none, or `dir` is no folder
 * @throws E_CONFIG_INVALID when there are several
 *
 * @example
 * ```js
 * import { writeFileSync } from "node:fs";
 * import { findConfig } from "fuselage-bundle";
 *
 * console.log(await findConfig("hello")); // undefined
 * writeFileSync("hello/bundle.config.json", "{}");
 * console.log(await findConfig("hello")); // hello/bundle.config.json
 * ```
 */
export async function findConfig(dir: string): Promise<string | undefined> {
  const found: string[] = [];
  for (const name of NAMES) {
    const stats = await stat(path.join(dir, name)).catch(() => undefined);
    if (stats?.isFile()) found.push(name);
  }
  if (found.length > 1) {
    throw errors.configInvalid(dir, `there are several configuration files: ${found.join(", ")}`, {
      hint: (name) => `Keep one of them, or name it by ${name("config")}.`,
    });
  }
  return found[0] && path.join(dir, found[0]);
}

/**
 * Reads a configuration file. Relative paths in it become absolute ones.
 *
 * @throws E_CONFIG_INVALID, E_CONFIG_KEY, E_OPTION_VALUE
 *
 * @example
 * ```js
 * import { writeFileSync } from "node:fs";
 * import { build, loadConfig } from "fuselage-bundle";
 *
 * writeFileSync("hello/bundle.config.json", '{ "name": "greet", "level": 3 }');
 * const { options } = await loadConfig("hello/bundle.config.json");
 * const { manifest } = await build({ input: "hello", output: "greet.run", ...options });
 * console.log(manifest.name); // greet
 * ```
 */
export async function loadConfig(file: string): Promise<LoadedConfig> {
  const full = path.resolve(file);
  const value = await (file.endsWith(".json") ? readJson(file) : evaluate(file, full));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw errors.configInvalid(file, "it does not hold options", {
      expected: file.endsWith(".json") ? "an object" : "an object as default export",
      actual: kindOfValue(value),
    });
  }
  const { $schema: _, ...options } = value as Record<string, unknown>;
  for (const [key, one] of Object.entries(options)) checkEntry(file, key, one);
  return { file: full, options: withPaths(options, path.dirname(full)) as BundleConfig };
}

/** @param shown as the caller named it */
function textOf(file: string, shown = file): string {
  try {
    return readRegularFile(file, MAX_BYTES).toString();
  } catch (cause) {
    throw unreadable(shown, cause);
  }
}

async function readJson(file: string): Promise<unknown> {
  const text = textOf(file);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw errors.configInvalid(file, `it is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function unreadable(file: string, cause: unknown): Error {
  const reason = errors.systemReason(cause);
  return errors.configInvalid(file, `the configuration file cannot be read: ${reason}`, {
    cause,
    ...(errors.errnoCode(cause) === "ENOENT" && { hint: "Check the path." }),
  });
}

/** The default export of a module in TypeScript or JavaScript. */
async function evaluate(file: string, full: string): Promise<unknown> {
  const source = textOf(full, file);
  requireSettingsFiles(path.dirname(full));
  const code = await bundled(file, full, source);
  try {
    const module = await import(`data:text/javascript;base64,${code.toString("base64")}`);
    return module.default;
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw errors.configInvalid(file, `it failed: ${what}`, { cause });
  }
}

async function bundled(file: string, full: string, source: string): Promise<Buffer> {
  const { build } = await import("esbuild");
  const dir = path.dirname(full);
  const url = JSON.stringify(pathToFileURL(full).href);
  try {
    const { outputFiles } = await build({
      stdin: {
        contents: source,
        sourcefile: path.basename(full),
        resolveDir: dir,
        loader: full.endsWith(".ts") ? "ts" : "js",
      },
      absWorkingDir: dir,
      bundle: true,
      write: false,
      platform: "node",
      format: "esm",
      target: `node${process.versions.node}`,
      logLevel: "silent",
      define: {
        "import.meta.url": url,
        "import.meta.filename": JSON.stringify(full),
        "import.meta.dirname": JSON.stringify(dir),
      },
      // CommonJS packages inside ask for modules of Node by require().
      banner: {
        js: `import { createRequire as $require } from "node:module"; const require = $require(${url});`,
      },
      plugins: [
        {
          name: "define-config",
          setup(api) {
            const namespace = "fuselage-bundle";
            api.onResolve({ filter: /^fuselage-bundle$/ }, () => ({ path: namespace, namespace }));
            const contents = "export const defineConfig = (config) => config;";
            api.onLoad({ filter: /.*/, namespace }, () => ({ contents, loader: "js" }));
          },
        },
      ],
    });
    return Buffer.from(outputFiles[0]?.contents ?? []);
  } catch (cause) {
    throw errors.configInvalid(file, `it cannot be compiled: ${messages(cause)}`, { cause });
  }
}

/** esbuild's messages, each with the file's name, line and column. */
function messages(cause: unknown): string {
  const list = (cause as { errors?: readonly EsbuildMessage[] }).errors;
  if (list === undefined || list.length === 0) return errors.systemReason(cause);
  const shown = list.map(({ text, location }) =>
    location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text,
  );
  return shown.join("; ");
}

interface EsbuildMessage {
  text: string;
  location: { file: string; line: number; column: number } | null;
}

/** Key by key: the types and the table name the same ones, or this does not compile. */
const known: readonly string[] = Object.keys(
  configKeys.properties satisfies Record<Exclude<keyof BundleConfig, "$schema">, object>,
);

function checkEntry(file: string, key: string, value: unknown): void {
  if (!known.includes(key)) throw errors.configKey(file, key, nearest(key, known));
  checkOption("build", key, value, file);
}

function kindOfValue(value: unknown): string {
  if (value === undefined) return "nothing";
  return Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
}

/** The same image, by the path of its folder or file from `dir`. */
function below(dir: string, name: string): string {
  const reference = parseReference(name);
  const place = pathOf(reference);
  return place === undefined
    ? name
    : shownReference({ ...reference, path: path.resolve(dir, place) } as ImageReference);
}

/** Paths of a configuration file are relative to it, wherever the build is started. */
function withPaths(options: Record<string, unknown>, dir: string): Record<string, unknown> {
  const result = { ...options };
  for (const [key, when] of Object.entries(configKeys.paths as Record<string, true | "slash">)) {
    const absolute = (text: string) =>
      when === "slash" && !text.includes("/") ? text : path.resolve(dir, text);
    const value = options[key];
    if (typeof value === "string") {
      result[key] = key === "input" && namesImage(value) ? below(dir, value) : absolute(value);
    } else if (Array.isArray(value)) result[key] = value.map(absolute);
  }
  return result;
}
