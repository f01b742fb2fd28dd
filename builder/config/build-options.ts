/** What a build takes, and the check of it at the edge. */
import { statSync } from "node:fs";
import path from "node:path";
import * as errors from "../errors.ts";
import { type Architecture, architectures, hostArchitecture } from "../host/paths.ts";
import { FIXED_DIRECTORY, isFixedPath } from "../manifest/fixed-path.ts";
import {
  type AppImageChoices,
  appImageKeys,
  type OutputFormat,
  resolveFormat,
} from "./appimage-options.ts";
import { type ImageChoices, imageKeys } from "./image-options.ts";
import type { KindChoice } from "./kind-names.ts";

/** What a build takes. */
export interface BuildOptions extends ImageChoices, AppImageChoices {
  /** Folder to pack, or one file: a program or a script. */
  input: string;
  /** File to write. */
  output: string;
  /** What kind of app it is. Default "auto": found. */
  kind?: KindChoice | undefined;
  /** Program to start, relative to `input`. Default: `AppRun`, then `bin/NAME`, then the only executable file. */
  entry?: string | undefined;
  /** Default: the name of the folder, or of the file without the ending of a script. */
  name?: string | undefined;
  /** Arguments before the user's own; `${FUSELAGE_BUNDLE_DIR}` is expanded at start. */
  args?: readonly string[] | undefined;
  /** Variables `K=V`; `${FUSELAGE_BUNDLE_DIR}` in V is expanded at start. */
  env?: readonly string[] | undefined;
  /** Names of variables that the app does not inherit; `env` may set them again. */
  unsetEnv?: readonly string[] | undefined;
  /** Pack the shared libraries that the target may not have. Default false. */
  withLibs?: boolean | undefined;
  /** Libraries that the app opens itself: paths, or names that ld.so would find. Implies `withLibs`. */
  libs?: readonly string[] | undefined;
  /** Folder that libraries are looked for in, in place of this machine's root. */
  sysroot?: string | undefined;
  /** Pack devices and fifos too. Default false: they are an error. */
  devices?: boolean | undefined;
  /** Default: this machine's. */
  arch?: Architecture | undefined;
  /** Give the app a private, writable copy of the image, gone at exit. Default false. */
  writable?: boolean | undefined;
  /** `/run/fuselage/NAME`: where the image is at every start. Default: a new path each time. */
  mountAt?: string | undefined;
  /** Whether the bundle takes `--bundle-*` options. Default true. */
  runtimeOptions?: boolean | undefined;
  /** node: the interpreter: a version, a path with a slash, "host", or "none". */
  node?: string | undefined;
  /** node: C library that the interpreter is for. Default "glibc". */
  nodeLibc?: "glibc" | "musl" | "static" | undefined;
  /** node: whether the sources become one file. Default true. */
  bundle?: boolean | undefined;
  /** node: globs of files to take along, relative to `input`. */
  include?: readonly string[] | undefined;
  /** node: whether compiled code is made at build time. Default true. */
  compileCache?: boolean | undefined;
  /** node: whether NODE_OPTIONS and NODE_PATH of the caller reach the app. Default false. */
  inheritNodeOptions?: boolean | undefined;
  /** Is told what takes time, one line each. */
  onReport?: ((line: string) => void) | undefined;
}

/** Options after the check: what must be known before work starts has its value. */
export interface ResolvedBuildOptions extends BuildOptions {
  name: string;
  args: readonly string[];
  env: readonly string[];
  unsetEnv: readonly string[];
  arch: Architecture;
  format: OutputFormat;
}

const keys: Record<keyof BuildOptions, true> = {
  ...imageKeys,
  ...appImageKeys,
  input: true,
  output: true,
  kind: true,
  entry: true,
  name: true,
  args: true,
  env: true,
  unsetEnv: true,
  withLibs: true,
  libs: true,
  sysroot: true,
  devices: true,
  arch: true,
  writable: true,
  mountAt: true,
  runtimeOptions: true,
  node: true,
  nodeLibc: true,
  bundle: true,
  include: true,
  compileCache: true,
  inheritNodeOptions: true,
  onReport: true,
};

/**
 * Checks the options that stand in a manifest and fills in what they default to. Options of the
 * image are checked by its writer.
 *
 * @throws E_OPTION_UNKNOWN, E_OPTION_MISSING, E_OPTION_VALUE
 */
export function resolveBuildOptions(options: BuildOptions): ResolvedBuildOptions {
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(keys, key)) throw errors.optionUnknown(key, undefined);
  }
  if (!options.input) throw errors.optionMissing("input", "the folder or file to pack");
  if (!options.output) throw errors.optionMissing("-o OUT", "the file to write");
  const values = { input: [options.input], output: [options.output], entry: [options.entry ?? ""] };
  for (const [key, list] of Object.entries({ ...values, args: options.args ?? [] })) {
    for (const value of list) checkNoNul(key, value);
  }
  if (options.entry === "") {
    throw errors.optionValue("entry", "the path of a program", "nothing");
  }
  for (const variable of options.env ?? []) checkVariable(variable);
  for (const name of options.unsetEnv ?? []) checkVariableName(name);
  if (options.mountAt !== undefined && !isFixedPath(options.mountAt)) {
    const expected = `${FIXED_DIRECTORY}NAME with a NAME of one component`;
    throw errors.optionValue("--mount-at", expected, `"${options.mountAt}"`);
  }
  return {
    ...options,
    name: checkedName(options.name ?? defaultName(options.input)),
    args: options.args ?? [],
    env: options.env ?? [],
    unsetEnv: options.unsetEnv ?? [],
    arch: checkedArch(options.arch ?? hostArchitecture() ?? process.arch),
    format: resolveFormat(options, options.output),
  };
}

/** Endings that say the language of a script, not what it is called. */
const SCRIPT_ENDING = /(?<=.)\.([cm]?[jt]sx?|sh|bash|py|pl|rb)$/;

/** What names a folder as an AppDir is no part of the app's name. */
const APPDIR_ENDING = /(?<=.)\.AppDir$/i;

/** The folder's own name, also for "." and ".."; a script's without its ending. */
function defaultName(input: string): string {
  const name = path.basename(path.resolve(input)) || "app";
  const isFile = statSync(input, { throwIfNoEntry: false })?.isFile() ?? false;
  return name.replace(isFile ? SCRIPT_ENDING : APPDIR_ENDING, "");
}

/** @throws E_OPTION_VALUE when it cannot name a bundle */
export function checkedName(name: string): string {
  const expected = "1 to 255 bytes without a slash or control characters";
  const size = Buffer.byteLength(name);
  if (size === 0 || size > 255 || name === "." || name === ".." || /[/\p{Cc}]/u.test(name)) {
    throw errors.optionValue("name", expected, `"${name}"`);
  }
  return name;
}

function checkVariable(variable: string): void {
  checkNoNul("env", variable);
  if (variable.indexOf("=") < 1) {
    throw errors.optionValue("env", "K=V with a name before the =", `"${variable}"`);
  }
}

function checkVariableName(name: string): void {
  checkNoNul("unset-env", name);
  if (name === "" || name.includes("=")) {
    throw errors.optionValue("unset-env", "the name of a variable", `"${name}"`);
  }
}

/** @throws E_OPTION_VALUE */
export function checkNoNul(key: string, value: string): void {
  if (value.includes("\0")) {
    throw errors.optionValue(key, "text without NUL", JSON.stringify(value));
  }
}

/** @throws E_OPTION_VALUE when there is no runtime for it */
export function checkedArch(arch: string): Architecture {
  const known = architectures.find((name) => name === arch);
  if (known === undefined) {
    throw errors.optionValue("arch", architectures.join(" or "), `"${arch}"`);
  }
  return known;
}
