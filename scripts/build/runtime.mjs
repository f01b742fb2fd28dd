// Builds the runtime ELF: one static musl executable for each architecture.
//
//   node scripts/build/runtime.mjs [--arch x86_64|aarch64]...
//
// Output: dist/runtime/<arch>/fuselage, the runner; front, which stands at the front of a bundle: the
// same objects without what only the runner needs; and guest, process 1 of a virtual machine.

import { mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { job } from "./jobs.mjs";
import { allOfMusl, compileList, readList, renewList, zigArchives } from "./libraries.mjs";
import { linkAndTest, messageOf, OwnFault, testRuntime } from "./link.mjs";
import { architectures, machineOf, machinesNamed } from "./machines.mjs";
import { decoders } from "./third-party.mjs";
import { compile, compilePackage, root, zig } from "./toolchain.mjs";

/** @typedef {import("./toolchain.mjs").Unit} Unit */
/** @typedef {import("./third-party.mjs").Library} Library */
/** @typedef {(source: string) => string[]} MoreFlags flags of single files */

const warnings = [
  "-Wall",
  "-Wextra",
  "-Wshadow",
  "-Wconversion",
  "-Wstrict-prototypes",
  "-Wvla",
  "-Werror",
];

/** The C files below a folder, sorted. */
export async function cFiles(/** @type {string} */ dir) {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".c"))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** The one file of the stubs that the runtime has too. */
const SHARED = path.join(root, "runtime/stubs/host_libc.c");

/** The library for other programs, library.mjs. */
export const LIBRARY = path.join(root, "runtime/library");

/**
 * The C files of the runtime. The stubs are no part of it: a build puts them into other programs. Nor is
 * the library, which carries it.
 */
async function runtimeFiles() {
  const others = [path.join(root, "runtime/stubs"), LIBRARY];
  const files = await cFiles(path.join(root, "runtime"));
  return files.filter(
    (file) => file === SHARED || !others.some((folder) => file.startsWith(`${folder}/`)),
  );
}

/** Flags of our own C, whichever compiler takes it. */
export async function runtimeFlags(/** @type {Library[]} */ libraries) {
  return [
    "-std=c17",
    "-D_GNU_SOURCE",
    ...warnings,
    `-I${path.join(root, "runtime")}`,
    `-I${path.join(root, "runtime/generated")}`,
    ...libraries.map((library) => `-isystem${library.api}`),
  ];
}

/**
 * Units of one library; its own code is not held to our warnings.
 *
 * @param {Library} library
 * @param {string[]} flags
 * @param {MoreFlags} more
 * @returns {Unit[]}
 */
function libraryUnits(library, flags, more = () => []) {
  const own = [
    ...[library.api, ...library.includes].map((dir) => `-I${dir}`),
    ...library.defines.map((define) => `-D${define}`),
  ];
  return library.sources.map((source) => ({
    source,
    flags: [...flags, "-w", ...own, ...more(source)],
  }));
}

/**
 * Compiles one library, all of it or nothing.
 *
 * @param {Library} library
 * @param {string[]} flags
 * @param {string} outDir
 * @param {MoreFlags} more
 * @returns {ReturnType<typeof compile>}
 */
export function compileLibrary(library, flags, outDir, more = () => []) {
  return compilePackage({
    units: libraryUnits(library, flags, more),
    outDir: path.join(outDir, library.name),
    version: library.version,
  });
}

/**
 * What runs for each entry, block or byte is not made smaller at the cost of its speed: names of files
 * in each folder.
 */
const HOT = {
  "runtime/fuse": "read",
  "runtime/squashfs": "block block_cache data directory inode metadata",
  "runtime/libc": "sha256",
};

/**
 * What compilers make calls of: it must not become calls of itself, and calls of it appear only where everything
 * has been linked as one.
 */
const MEMORY = path.join(root, "runtime/libc/memory.c");

const hotFiles = Object.entries(HOT).flatMap(([dir, names]) =>
  names.split(" ").map((name) => path.join(root, dir, `${name}.c`)),
);

/**
 * Everything else runs once in a start, and is made as small as can be: 4 % of the file. zig takes
 * -Oz for -Os, so the compiler behind it has to be told. Linked as one, static functions of one
 * caller go into it, in the hot part too.
 */
function smallest(/** @type {string} */ source) {
  if (source === MEMORY) return ["-fno-builtin", "-fno-stack-protector"];
  return ["-flto", ...(hotFiles.includes(source) ? [] : ["-Xclang", "-Oz"])];
}

/** Parts of the decoders that run once for a block or less: their headers, tables and checks. */
const COLD = [
  /\/zstd\/lib\/common\/(entropy_common|error_private|fse_decompress|zstd_common)[.]c$/,
  /\/zstd\/lib\/decompress\/(zstd_ddict|zstd_decompress)[.]c$/,
  /\/liblzma\/lzma\/lzma2_decoder[.]c$/,
  /\/liblzma\/common\/\w+[.]c$/,
  /\/liblzma\/simple\/(?!(x86|arm|armthumb|powerpc|ia64|sparc)[.]c)\w+[.]c$/,
];

function smallestLibrary(/** @type {string} */ source) {
  return COLD.some((pattern) => pattern.test(source)) ? ["-flto", "-Xclang", "-Oz"] : [];
}

/**
 * What HOT and COLD name and nothing is: a file that was renamed would be built the other way, and
 * nobody would see it.
 *
 * @param {string[]} ours
 * @param {string[]} theirs
 */
export function namesNothing(ours, theirs) {
  const hot = hotFiles.filter((file) => !ours.includes(file));
  const cold = COLD.filter((pattern) => !theirs.some((file) => pattern.test(file)));
  return [
    ...hot.map((file) => `HOT: ${path.relative(root, file)}`),
    ...cold.map((one) => `COLD: ${one}`),
  ];
}

/**
 * What is compiled: our own files, and the libraries.
 *
 * @param {Library[]} libraries
 * @param {string[]} ours
 * @param {string[]} flags
 * @param {MoreFlags} more flags of files of ours
 */
export async function units(libraries, ours, flags, more = () => []) {
  const own = await runtimeFlags(libraries);
  return [
    ...ours.map((source) => ({ source, flags: [...flags, ...own, ...more(source)] })),
    ...libraries.flatMap((library) => libraryUnits(library, flags)),
  ];
}

export function runtimeTarget(/** @type {string} */ arch) {
  return ["-target", `${arch}-linux-musl`];
}

/**
 * What was compiled of one architecture.
 * @typedef {{ours: {source: string, object: string}[], libraries: string[], compiled: number}} Made
 */

/** Compiles what is stale of one architecture. @returns {Promise<Made>} */
export async function compileRuntime(/** @type {string} */ arch) {
  const flags = [
    ...runtimeTarget(arch),
    "-Os", // also the fastest for the decoders: see third-party.mjs
    "-fno-pie",
    "-ffunction-sections",
    "-fdata-sections",
    "-fomit-frame-pointer", // 5 KB less, and a register more for the decoders
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-fstack-protector-strong",
    "-fno-sanitize=all",
    ...machineOf(arch).compilerFlags,
  ];
  const libraries = await decoders();
  const ours = await runtimeFiles();
  const gone = namesNothing(
    ours,
    libraries.flatMap(({ sources }) => sources),
  );
  if (gone.length > 0) throw new Error(`runtime.mjs names what is not there: ${gone.join(", ")}`);
  const outDir = path.join(root, "build/runtime", arch, "objects");
  const own = await runtimeFlags(libraries);
  const ourUnits = ours.map((source) => ({
    source,
    flags: [...flags, ...own, ...smallest(source)],
  }));
  const [made, ...others] = await Promise.all([
    compile({ units: ourUnits, outDir }),
    ...libraries.map((library) => compileLibrary(library, flags, outDir, smallestLibrary)),
  ]);
  return {
    ours: ours.map((source, index) => ({ source, object: made.objects[index] })),
    libraries: others.flatMap(({ objects }) => objects),
    compiled: [made, ...others].reduce((sum, { compiled }) => sum + compiled, 0),
  };
}

const linkerScript = path.join(root, "scripts/build/runtime.ld");

/** What is linked beside our own objects, from the list of zig's libc. */
export async function libcByList(/** @type {string} */ arch) {
  const list = readList(`musl-${arch}`);
  const dir = path.join(root, "build/libraries", arch);
  const [archives, [start], linked] = await Promise.all([
    zigArchives(arch),
    compileList(list, ["libc/musl/crt/crt1.c"], path.join(dir, "start")),
    compileList(list, list.linked, path.join(dir, "musl")),
  ]);
  return { list, start, linked, archives };
}

/** @typedef {Pick<Awaited<ReturnType<typeof libcByList>>, "start" | "linked" | "archives">} Libc */

/**
 * Links with `linked` of the libc, as `zig cc` does.
 *
 * @param {string} arch
 * @param {string[]} objects
 * @param {Libc} libc
 * @param {string} file
 * @param {string[]} more
 * @returns what the linker prints
 */
export function link(arch, objects, { start, linked, archives }, file, more = []) {
  const { emulation, pageBytes } = machineOf(arch);
  const args = [
    ...[
      "ld.lld",
      "-static",
      "-O2",
      "-s",
      "--gc-sections",
      "--icf=safe", // functions that are the same bytes, where nobody compares their addresses
      "-T",
      linkerScript,
      "-m",
      emulation,
    ],
    ...["-z", "now", "-z", "relro", "-z", "noexecstack", "-z", `max-page-size=${pageBytes}`],
    ...["-z", "stack-size=16777216", "--image-base=16777216", "--build-id=none"],
    ...["--eh-frame-hdr", "--entry", "_start", "--error-limit=0"],
  ];
  const inputs = [start, ...objects, "--start-lib", ...linked, "--end-lib", ...archives];
  return job(() => zig([...args, ...more, ...inputs, "-o", file]), { first: true });
}

/**
 * Links by the list; when something calls a function that was not called before, renews it.
 *
 * @param {string} arch
 * @param {string[]} objects
 * @param {Awaited<ReturnType<typeof libcByList>>} libc
 * @param {string} file
 */
async function linkByList(arch, objects, libc, file) {
  try {
    await link(arch, objects, libc, file);
  } catch (error) {
    if (!messageOf(error).includes("undefined symbol")) throw error;
    const all = allOfMusl(arch);
    const outDir = path.join(root, "build/libraries", arch, "musl-all");
    const linked = await compileList(libc.list, all, outDir);
    const trace = await link(arch, objects, { ...libc, linked }, file, ["--trace"]).catch(
      (failure) => {
        throw new OwnFault(failure.message);
      },
    );
    const taken = new Set(trace.split("\n"));
    // What the other programs take stays in it: the linker takes what it needs.
    const known = new Set(libc.list.linked);
    renewList(`musl-${arch}`, {
      ...libc.list,
      linked: all.filter((file, i) => taken.has(linked[i]) || known.has(file)),
    });
  }
}

/**
 * Links with all of zig's libc, which takes minutes when zig compiles it for the first time.
 *
 * @param {string} arch
 * @param {string[]} objects
 */
export function linkArguments(arch, objects) {
  return [
    "cc",
    ...runtimeTarget(arch),
    "-static",
    "-no-pie",
    "-Os", // for what is compiled here, across all files
    // For the libc, which is compiled here too: 6 KB of tables and frames that nobody looks at.
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-fomit-frame-pointer",
    "-s",
    "-Wl,--gc-sections",
    `-Wl,-T,${linkerScript}`,
    "-Wl,-z,noexecstack",
    "-Wl,-z,relro,-z,now",
    "-Wl,--build-id=none",
    `-Wl,-z,max-page-size=${machineOf(arch).pageBytes}`,
    ...objects,
  ];
}

/** The programs that are linked, by their names in dist/, each with its file of runtime/flavour. */
export const FLAVOURS = { fuselage: "runner", front: "front", guest: "guest" };

/** What each of them says to --help. */
const SAYS = {
  fuselage: /^usage: /im,
  front: /^fuselage: \[E_IMAGE_MISSING\]/m,
  guest: /^guest: expected to be process 1/m,
};

/** Paths of the programs of one architecture, from the root. */
function runtimeOutputs(/** @type {string} */ arch) {
  return Object.keys(FLAVOURS).map((name) => path.join("dist/runtime", arch, name));
}

/** Whether a file of the runtime is of one flavour: what all have, its own, and its main. */
function belongsTo(/** @type {string} */ source, /** @type {string} */ flavour) {
  const file = path.relative(path.join(root, "runtime"), source);
  if (file.startsWith("flavour/")) return file === `flavour/${flavour}.c`;
  return flavour === "guest" ? file !== "main.c" : !file.startsWith("guest/");
}

/** The files of the runtime that are of one flavour. */
export async function sourcesOf(/** @type {string} */ flavour) {
  return (await runtimeFiles()).filter((source) => belongsTo(source, flavour));
}

/** The objects of one flavour. @returns {string[]} */
export function objectsOf(/** @type {Made} */ made, /** @type {string} */ flavour) {
  const ours = made.ours.filter(({ source }) => belongsTo(source, flavour));
  return [...ours.map(({ object }) => object), ...made.libraries];
}

/** Builds one architecture. @returns {Promise<{files: string[], compiled: number}>} */
export async function buildRuntime(/** @type {string} */ arch) {
  const libc = libcByList(arch);
  libc.catch(() => {}); // It is waited for below.
  const made = await compileRuntime(arch);
  const files = runtimeOutputs(arch).map((output) => path.join(root, output));
  await mkdir(path.dirname(files[0]), { recursive: true });
  // One after the other: the first may renew the list of the libc's files.
  for (const file of files) {
    const name = /** @type {keyof typeof FLAVOURS} */ (path.basename(file));
    const objects = objectsOf(made, FLAVOURS[name]);
    await linkAndTest(file, (linked) => testRuntime(arch, linked, SAYS[name]), {
      byList: async (staging) => linkByList(arch, objects, await libc, staging),
      byZig: (staging) => zig([...linkArguments(arch, objects), "-o", staging]),
    });
  }
  return { files, compiled: made.compiled };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { arch: { type: "string", multiple: true, default: architectures } },
  });
  for (const arch of machinesNamed(values.arch)) {
    const { files, compiled } = await buildRuntime(arch);
    const names = files.map((file) => path.relative(root, file));
    console.log(`${names.join(", ")} (${compiled} compiled)`);
  }
}
