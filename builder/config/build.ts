/** What a build takes, and the check of it at the edge. */
import path from "node:path";
import * as errors from "../errors.ts";
import { type Architecture, architectures, hostArchitecture } from "../paths.ts";
import type { Compression, Progress } from "../squashfs/options.ts";

export interface BuildOptions {
  /** Folder to pack. */
  input: string;
  /** File to write. */
  output: string;
  /** Program to start, relative to `input`. Default: found, see `chooseEntry`. */
  entry?: string | undefined;
  /** Default: the name of the folder. */
  name?: string | undefined;
  /** Arguments before the user's own. */
  args?: readonly string[] | undefined;
  /** Variables `K=V`; `${FUSELAGE_BUNDLE_DIR}` in V is expanded at start. */
  env?: readonly string[] | undefined;
  /** Default "zstd". */
  compression?: Compression | undefined;
  /** zstd 1..22, gzip 1..9; default 15 and 9. */
  level?: number | undefined;
  /** Bytes, a power of two, 4096..1048576. Default 131072. */
  blockSize?: number | undefined;
  /** Globs of paths to leave out, relative to `input`. */
  exclude?: readonly string[] | undefined;
  /** Default false: one time for all files. */
  keepMtimes?: boolean | undefined;
  /** Default false: 0:0. */
  keepOwners?: boolean | undefined;
  /** Pack devices and fifos too. Default false: they are an error. */
  devices?: boolean | undefined;
  /** Default true. */
  xattrs?: boolean | undefined;
  /** 1..256. Default: the processors that may be used. */
  threads?: number | undefined;
  /** Default: this machine's. */
  arch?: Architecture | undefined;
  /** Whether the bundle takes `--bundle-*` options. Default true. */
  runtimeOptions?: boolean | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Options after the check: what must be known before work starts has its value. */
export interface ResolvedBuildOptions extends BuildOptions {
  name: string;
  args: readonly string[];
  env: readonly string[];
  arch: Architecture;
}

const keys: Record<keyof BuildOptions, true> = {
  input: true,
  output: true,
  entry: true,
  name: true,
  args: true,
  env: true,
  compression: true,
  level: true,
  blockSize: true,
  exclude: true,
  keepMtimes: true,
  keepOwners: true,
  devices: true,
  xattrs: true,
  threads: true,
  arch: true,
  runtimeOptions: true,
  onProgress: true,
  signal: true,
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
  if (!options.input) throw errors.optionMissing("input", "the folder to pack");
  if (!options.output) throw errors.optionMissing("output", "the file to write");
  const values = { input: [options.input], output: [options.output], entry: [options.entry ?? ""] };
  for (const [key, list] of Object.entries({ ...values, args: options.args ?? [] })) {
    for (const value of list) checkNoNul(key, value);
  }
  if (options.entry === "") {
    throw errors.optionValue("entry", "the path of a program", "nothing");
  }
  for (const variable of options.env ?? []) checkVariable(variable);
  return {
    ...options,
    name: checkedName(options.name ?? defaultName(options.input)),
    args: options.args ?? [],
    env: options.env ?? [],
    arch: checkedArch(options.arch ?? hostArchitecture() ?? process.arch),
  };
}

/** The folder's own name, also for "." and "..". */
function defaultName(input: string): string {
  return path.basename(path.resolve(input)) || "app";
}

function checkedName(name: string): string {
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

function checkNoNul(key: string, value: string): void {
  if (value.includes("\0")) {
    throw errors.optionValue(key, "text without NUL", JSON.stringify(value));
  }
}

function checkedArch(arch: string): Architecture {
  const known = architectures.find((name) => name === arch);
  if (known === undefined) {
    throw errors.optionValue("arch", architectures.join(" or "), `"${arch}"`);
  }
  return known;
}
