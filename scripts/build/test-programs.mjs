// Builds the C programs that only tests run, for this machine.
//
//   node scripts/build/test-programs.mjs sanitize|threads|sandbox
//
// sanitize: build/runtime/sanitize/{fuselage,fuzz-reader,fuse-requests,out-of-memory,units,mount-library},
//   by the system's C compiler, because AddressSanitizer wants a dynamic program and its own runtime library.
// threads: build/runtime/threads/{block_cache,extract}-threads, the same way with ThreadSanitizer.
// sandbox: build/runtime/sandbox/sandbox, which tries what the FUSE server's sandbox forbids.

import { rename } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { compileList } from "./libraries.mjs";
import { carriedProgram } from "./library.mjs";
import { machineName } from "./machines.mjs";
import {
  cFiles,
  FLAVOURS,
  LIBRARY,
  libcByList,
  link as linkRuntime,
  runtimeTarget,
  sourcesOf,
  units,
} from "./runtime.mjs";
import { decoders } from "./third-party.mjs";
import { compile, refresh, root, run } from "./toolchain.mjs";

/**
 * Links what is stale: each of a dozen test files asks for all of them.
 *
 * @param {string} file
 * @param {string[]} flags
 * @param {string[]} objects
 */
const link = (file, flags, objects) =>
  refresh(file, [...flags, ...objects], objects, (args) => run("cc", args));

/**
 * Builds the runtime, the fuzz target of its reader, the program that makes requests to its FUSE server,
 * the one that takes memory from its reader, the one that calls single functions, and the one that uses
 * the library for mounts, with ASan and UBSan, for this machine.
 *
 * @returns {Promise<
 *   Record<"runtime" | "fuzzReader" | "requests" | "outOfMemory" | "units" | "mountLibrary", string>
 * >} their paths
 */
export async function buildSanitized() {
  const flags = [
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
  ];
  const libraries = await decoders();
  const dir = path.join(root, "build/runtime/sanitize");
  const sources = await sourcesOf(FLAVOURS.fuselage);
  const tests = [
    "fuzz/reader",
    "fuzz/walk",
    "fuzz/fields",
    "support/fuse-requests",
    "c/out_of_memory",
    "c/units",
  ];
  const { objects } = await compile({
    units: await units(
      libraries,
      [...sources, ...tests.map((name) => path.join(root, `test/${name}.c`))],
      flags,
    ),
    outDir: path.join(dir, "objects"),
    compiler: "cc",
  });
  const driving = objects.slice(sources.length, sources.length + tests.length);
  const shared = objects.filter((object) => !driving.includes(object));
  const main = objects[sources.indexOf(path.join(root, "runtime/main.c"))];
  const parts = shared.filter((object) => object !== main);
  const program = (
    /** @type {string} */ name,
    /** @type {string[]} */ files,
    /** @type {string[]} */ more = [],
  ) => link(path.join(dir, name), [...flags, ...more], files);
  const { objects: library } = await compile({
    units: await units(
      [],
      [...(await cFiles(LIBRARY)), path.join(root, "test/support/mount-library.c")],
      [...flags, `-I${LIBRARY}`],
    ),
    outDir: path.join(dir, "library"),
    compiler: "cc",
  });
  const carried = await carriedProgram(machineName());
  return {
    runtime: await program("fuselage", shared),
    fuzzReader: await program("fuzz-reader", [...driving.slice(0, 3), ...parts]),
    requests: await program(
      "fuse-requests",
      [driving[3], ...parts],
      ["-Wl,--wrap=read,--wrap=writev"],
    ),
    units: await program("units", [driving[5], ...parts]),
    mountLibrary: await program("mount-library", [...library, carried, ...parts]),
    outOfMemory: await program(
      "out-of-memory",
      [driving[4], ...parts],
      ["-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc"],
    ),
  };
}

/**
 * Builds the programs that drive the reader's shared cache and the extraction with threads, with
 * ThreadSanitizer.
 *
 * @returns {Promise<{cache: string, extract: string}>} their paths
 */
async function buildThreads() {
  const flags = ["-O1", "-g", "-fsanitize=thread", "-pthread"];
  const dir = path.join(root, "build/runtime/threads");
  const programs = ["block_cache", "extract"];
  const sources = [
    ...programs.map((name) => path.join(root, `test/c/${name}_threads.c`)),
    ...(await cFiles(path.join(root, "runtime/squashfs"))),
    path.join(root, "runtime/base/bytes.c"),
    path.join(root, "runtime/base/descriptors.c"),
  ];
  const { objects } = await compile({
    units: await units(await decoders(), sources, flags),
    outDir: path.join(dir, "objects"),
    compiler: "cc",
  });
  const shared = objects.slice(programs.length);
  const program = (/** @type {string} */ name, /** @type {string} */ object) =>
    link(path.join(dir, `${name}-threads`), flags, [object, ...shared]);
  return {
    cache: await program("block_cache", objects[0]),
    extract: await program("extract", objects[1]),
  };
}

/** Files of musl, by folders, that sandbox.c takes beside those of the runtime: zig would compile all of it. */
const MORE_OF_MUSL = {
  linux: "prlimit ptrace",
  math: "__signbitl",
  multibyte: "wcrtomb wctomb",
  process: "execl",
  stdio:
    "__fdopen __fmodeflags ofl_add __stdio_read __toread __uflow fgets fopen printf snprintf vfprintf vsnprintf",
};

/**
 * Builds the program that tries what the server's sandbox forbids, with the libc of the runtime: the
 * sandbox is made for what that one needs.
 *
 * @returns {Promise<string>} its path
 */
async function buildSandbox() {
  const arch = machineName();
  const dir = path.join(root, "build/runtime/sandbox");
  const sources = [
    "test/c/sandbox.c",
    "runtime/process/sandbox.c",
    "runtime/libc/sort.c",
    "runtime/libc/allocate.c",
  ];
  const files = sources.map((name) => path.join(root, name));
  const flags = [...runtimeTarget(arch), "-Os"];
  const [libc, { objects }] = await Promise.all([
    libcByList(arch),
    compile({ units: await units([], files, flags), outDir: path.join(dir, "objects") }),
  ]);
  const names = Object.entries(MORE_OF_MUSL).flatMap(([folder, names]) =>
    names.split(" ").map((name) => `libc/musl/src/${folder}/${name}.c`),
  );
  const more = await compileList(libc.list, names, path.join(dir, "musl"));
  const file = path.join(dir, "sandbox");
  const staging = `${file}.${process.pid}`;
  await linkRuntime(arch, objects, { ...libc, linked: [...libc.linked, ...more] }, staging);
  await rename(staging, file);
  return file;
}

const programs = {
  sanitize: async () => Object.values(await buildSanitized()),
  threads: async () => Object.values(await buildThreads()),
  sandbox: async () => [await buildSandbox()],
};

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [name = ""] = process.argv.slice(2);
  const build = Object.entries(programs).find(([known]) => known === name)?.[1];
  if (build === undefined) {
    console.error(`test-programs: expected ${Object.keys(programs).join(", ")}, found "${name}"`);
    process.exit(2);
  }
  for (const file of await build()) console.log(path.relative(root, file));
}
