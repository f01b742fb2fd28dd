/** Where the parts of this package lie, in a checkout and as installed. */
import { existsSync, lstatSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as errors from "../errors.ts";
import { machines } from "../generated/spec.ts";

/** What there is to say of a machine. */
export type Machine = (typeof machines)[number];

/** A machine, as `uname -m` calls it. */
export type Architecture = (typeof machines)[number]["name"];

const machineByName = Object.fromEntries(
  machines.map((machine) => [machine.name, machine]),
) as Record<Architecture, Machine>;

/** Machines that a bundle can be built for, as `uname -m` calls them. */
export const architectures: readonly Architecture[] = machines.map(({ name }) => name);

/**
 * The folder that holds package.json. Sources and the built files lie at different depths, so it
 * is searched for upwards from this file.
 *
 * @internal
 */
export function packageRoot(): string {
  let dir = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(dir, "package.json"))) {
    const parent = path.dirname(dir);
    if (parent === dir) throw errors.internal(new Error("package.json of fuselage-bundle is gone"));
    dir = parent;
  }
  return dir;
}

/** Whether a symbolic link stands at a path. */
export function isLink(file: string | Buffer): boolean {
  return lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

/** What is known of a machine. */
export function machineOf(arch: Architecture): Machine {
  return machineByName[arch];
}

/** The architecture of this machine, or undefined where no runtime is made for it. */
export function hostArchitecture(): Architecture | undefined {
  return machines.find(({ node }) => node === process.arch)?.name;
}

function programPath(arch: Architecture, name: string): string {
  const file = path.join(packageRoot(), "dist", "runtime", arch, name);
  if (!existsSync(file)) throw errors.runtimeMissing(file, arch);
  return file;
}

/**
 * Path of the program at the front of a bundle: the runtime without what only the runner needs. It starts
 * the image behind it, by a recorded entrypoint, and takes no command line of the runner's.
 *
 * @throws E_RUNTIME_MISSING
 */
export function frontPath(arch: Architecture): string {
  return programPath(arch, "front");
}

/**
 * Path of the whole runtime: `fuselage`, which is also at the front of what `assemble` makes.
 *
 * @throws E_RUNTIME_MISSING
 *
 * @example
 * ```js
 * import { execFileSync } from "node:child_process";
 * import { runtimePath } from "fuselage-bundle";
 *
 * const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
 * const help = execFileSync(runtimePath(machine), ["--help"], { encoding: "utf8" });
 * console.log(help.includes("--static")); // true
 * ```
 */
export function runtimePath(arch: Architecture): string {
  return programPath(arch, "fuselage");
}

/**
 * Path of process 1 of a virtual machine.
 *
 * @throws E_RUNTIME_MISSING
 */
export function guestPath(arch: Architecture): string {
  return programPath(arch, "guest");
}

/**
 * Path of a stub: code that is put into a program (`loader`) or into a packed libc.so.6 (`variables`).
 *
 * @param machine as `uname -m` calls it
 * @throws E_RUNTIME_MISSING
 */
export function stubPath(machine: string, name: "loader" | "variables"): string {
  const file = path.join(packageRoot(), "dist", "stubs", machine, name);
  if (!existsSync(file)) throw errors.runtimeMissing(file, machine);
  return file;
}

/** Path of the native addon for this machine; the loader reports when it is not there. */
export function addonPath(): string {
  return path.join(packageRoot(), "dist", "native", `linux-${process.arch}.node`);
}

/** The folder of the files that builds instantiate. */
export function templatesPath(): string {
  return path.join(packageRoot(), "templates");
}

/** Shells that completions are made for. */
export const shells = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof shells)[number];

/** Path of the completions of all commands for a shell, under the name that the shell looks for. */
export function completionsPath(shell: Shell): string {
  const names: Record<Shell, string> = { bash: "bundle.bash", zsh: "_bundle", fish: "bundle.fish" };
  return path.join(packageRoot(), "dist", "completions", names[shell]);
}

/**
 * Where things are kept that could be made again: `$XDG_CACHE_HOME/fuselage-bundle`, else below
 * `~/.cache`.
 */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const base = baseDirectory("XDG_CACHE_HOME", environment) ?? belowHome(".cache", environment);
  return path.join(base, "fuselage-bundle");
}

/** Where the settings of programs are: `$XDG_CONFIG_HOME`, else `~/.config`. */
export function configDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return baseDirectory("XDG_CONFIG_HOME", environment) ?? belowHome(".config", environment);
}

/** The specification of base directories: a relative path is to be ignored. */
export function baseDirectory(
  name: `XDG_${string}`,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const base = environment[name];
  return base && path.isAbsolute(base) ? base : undefined;
}

const belowHome = (name: string, environment: NodeJS.ProcessEnv) =>
  path.join(environment["HOME"] || os.homedir(), name);
