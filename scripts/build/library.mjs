// Builds the library for programs that mount images themselves, one for each architecture.
//
//   node scripts/build/library.mjs [--arch x86_64|aarch64]...
//
// Output: dist/lib/<arch>/libfuselage-mount.a, pkgconfig/fuselage-mount.pc beside it, dist/include.
//
// The archive holds one object, in which nothing but the functions of the header has a name for others.
// It carries the runner, an executable with a libc of its own, as bytes; what runs in the caller's process
// calls functions that have the same binary interface in glibc and musl, and no others.

import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { job } from "./jobs.mjs";
import { localizeHidden } from "./localize.mjs";
import { architectures, machineOf, machinesNamed } from "./machines.mjs";
import { cFiles, LIBRARY, runtimeFlags, runtimeTarget } from "./runtime.mjs";
import { compile, refresh, root, zig } from "./toolchain.mjs";

/** What it shares with the runtime; of these the functions that it calls are taken. */
const SHARED = [
  ...["base/child.c", "base/descriptors.c", "base/inherited.c"],
  "kernel/other_namespace.c",
];

const flags = [
  "-Os",
  "-fPIC", // also for programs that are position-independent, as they are by default
  "-fvisibility=hidden",
  "-ffunction-sections",
  "-fdata-sections",
  "-fno-stack-protector", // whose symbols are of one libc
  "-fno-unwind-tables",
  "-fno-asynchronous-unwind-tables",
  "-fno-sanitize=all",
  "-fno-addrsig",
];

/** The functions of the header. */
function declared(/** @type {string} */ header) {
  return [...header.matchAll(/^(?!typedef)[\w ]+[ *](fuselage_\w+)\(/gm)]
    .map(([, name]) => name)
    .sort();
}

/** @returns {Promise<string>} the text of the file for pkg-config */
async function pkgConfig(/** @type {string} */ arch) {
  const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
  return [
    // The folder of this file, so that the package may lie anywhere: dist/lib/<arch>/pkgconfig.
    "libdir=$" + "{pcfiledir}/..",
    "includedir=$" + "{pcfiledir}/../../../include",
    "",
    "Name: fuselage-mount",
    `Description: squashfs images as mounts (${arch})`,
    `Version: ${version}`,
    "Cflags: -I$" + "{includedir}",
    "Libs: $" + "{libdir}/libfuselage-mount.a",
    "",
  ].join("\n");
}

const buildDir = (/** @type {string} */ arch) => path.join(root, "build/library", arch);

/** The runner in dist/ as an object. @returns {Promise<string>} its path */
export async function carriedProgram(/** @type {string} */ arch) {
  const file = path.join(buildDir(arch), "program_bytes.o");
  const folder = path.join(root, "dist/runtime", arch);
  const source = path.join(LIBRARY, "program_bytes.S");
  await mkdir(path.dirname(file), { recursive: true });
  const args = ["cc", ...runtimeTarget(arch), "-c", `-Wa,-I${folder}`, source];
  return refresh(file, args, [source, path.join(folder, "fuselage")], (all) => job(() => zig(all)));
}

async function compileLibrary(/** @type {string} */ arch) {
  const all = [
    ...runtimeTarget(arch),
    ...flags,
    ...machineOf(arch).compilerFlags,
    ...(await runtimeFlags([])),
  ];
  const sources = [
    ...(await cFiles(LIBRARY)),
    ...SHARED.map((name) => path.join(root, "runtime", name)),
  ];
  const units = sources.map((source) => ({ source, flags: all }));
  const { objects } = await compile({ units, outDir: buildDir(arch) });
  return [...objects, await carriedProgram(arch)];
}

/** Builds it for one architecture, when its runner is there. @returns {Promise<string>} the archive */
export async function buildLibrary(/** @type {string} */ arch) {
  const objects = await compileLibrary(arch);
  const dir = path.join(root, "dist/lib", arch);
  const include = path.join(root, "dist/include");
  await mkdir(path.join(dir, "pkgconfig"), { recursive: true });
  await mkdir(include, { recursive: true });
  const header = path.join(LIBRARY, "fuselage-mount.h");
  const wanted = declared(await readFile(header, "utf8"));
  const object = path.join(buildDir(arch), "fuselage-mount.o");
  const roots = wanted.flatMap((name) => ["-u", name]);
  const { emulation } = machineOf(arch);
  await job(() =>
    zig(["ld.lld", "-r", "-m", emulation, "--gc-sections", ...roots, ...objects, "-o", object]),
  );
  const bytes = await readFile(object);
  const { global } = localizeHidden(bytes);
  if (global.sort().join() !== wanted.join()) {
    throw new Error(`libfuselage-mount.a would define ${global.join(", ")}`);
  }
  await writeFile(object, bytes);
  const archive = path.join(dir, "libfuselage-mount.a");
  const staging = `${archive}.${process.pid}`;
  await rm(staging, { force: true }); // ar adds to what is there.
  await job(() => zig(["ar", "rcsD", staging, object]));
  await rename(staging, archive);
  await writeFile(path.join(dir, "pkgconfig/fuselage-mount.pc"), await pkgConfig(arch));
  await copyFile(header, path.join(include, "fuselage-mount.h"));
  return archive;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { arch: { type: "string", multiple: true, default: architectures } },
  });
  for (const arch of machinesNamed(values.arch)) {
    console.log(path.relative(root, await buildLibrary(arch)));
  }
}
