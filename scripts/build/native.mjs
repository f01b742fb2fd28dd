// Builds the N-API addon: scanning, reading, hashing, compressing, and the squashfs reader.
//
//   node scripts/build/native.mjs [--arch x86_64|aarch64]...
//
// Output: dist/native/linux-<x64|arm64>.node, for glibc 2.28 or newer and Node-API 8. The headers
// come from npm, so neither Node's own headers nor node-gyp are needed, and any machine builds both.

import { mkdir, readdir, rename } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { libraryUnits, runtimeFlags } from "./runtime.mjs";
import { codecs } from "./third-party.mjs";
import { compile, packageDir, root, run, zigEnv, zigPath } from "./toolchain.mjs";

const nodeNames = { x86_64: "x64", aarch64: "arm64" };

export const architectures = Object.keys(nodeNames);

const glibc = "2.28";

async function sources(dir, extension) {
  const names = await readdir(path.join(root, dir));
  return names
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => path.join(root, dir, name));
}

/** zlib compares two bytes at a time where it may: the same output, gzip 9 takes 10 % less time. */
function tuning(library) {
  return library.name === "zlib" ? ["-DUNALIGNED_OK"] : [];
}

/** Flags of our own C++, whichever compiler takes it. */
export function nativeFlags(libraries) {
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

/** Builds the addon for one machine. @returns {Promise<{file: string, compiled: number}>} */
export async function buildNative(arch) {
  const target = ["-target", `${arch}-linux-gnu.${glibc}`];
  const flags = [
    ...target,
    "-O2",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-sanitize=all",
  ];
  if (arch === "x86_64") flags.push("-mcpu=x86_64"); // Any 64-bit x86, not this machine's model.
  const libraries = await codecs();
  const own = nativeFlags(libraries);
  const reader = [
    ...(await sources("runtime/squashfs", ".c")),
    path.join(root, "runtime/base/bytes.c"),
  ];
  const ours = await runtimeFlags(libraries);
  const { objects, compiled } = await compile({
    units: [
      ...(await sources("native", ".cc")).map((source) => ({ source, flags: [...flags, ...own] })),
      ...reader.map((source) => ({ source, flags: [...flags, ...ours] })),
      ...libraries.flatMap((library) => libraryUnits(library, [...flags, ...tuning(library)])),
    ],
    outDir: path.join(root, "build/native", arch),
  });
  const file = path.join(root, "dist/native", `linux-${nodeNames[arch]}.node`);
  await mkdir(path.dirname(file), { recursive: true });
  const staging = `${file}.${process.pid}`;
  const link = [...target, "-shared", "-s", "-Wl,--gc-sections", "-Wl,-z,noexecstack"];
  await run(zigPath(), ["c++", ...link, ...objects, "-lpthread", "-o", staging], { env: zigEnv() });
  await rename(staging, file);
  return { file, compiled };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { arch: { type: "string", multiple: true, default: architectures } },
  });
  for (const arch of values.arch) {
    const { file, compiled } = await buildNative(arch);
    console.log(`${path.relative(root, file)} (${compiled} compiled)`);
  }
}
