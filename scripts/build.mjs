// Builds what is published, each part only when its inputs changed.
//
//   node scripts/build.mjs [--force] [runtime|native|runtime-other|native-other|dist|types]...
//
//   runtime        dist/runtime/<arch>/fuselage    the runner
//                  dist/runtime/<arch>/front       the static program at the front of a bundle
//                  dist/runtime/<arch>/guest       process 1 of a virtual machine
//                  dist/lib/<arch>, dist/include   the library for programs that mount images themselves
//   stubs          dist/stubs/<machine>/           what the builder puts into programs and into a libc
//   native         dist/native/linux-<arch>.node   the addon that reads and compresses
//   runtime-other  the runtime for the machine that this one is not; only tests and publishing need it
//   native-other   the addon for that; only publishing needs it
//   dist           dist/**/*.js                    the builder
//                  dist/bundle.config.schema.json  what editors know of its configuration
//                  dist/man, dist/completions      its man pages and completions
//   types          dist/**/*.d.ts                  its declarations; only publishing needs them
//   commands       compile_commands.json           for editors: how each file of C and C++ is compiled
//
// All of them when none is named. What is stale is built at once, by as many compilers as there are
// processors.
//
// "Changed" is decided by content, so that a fresh checkout or a touched file costs nothing.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { progress } from "./build/jobs.mjs";
import { architectures, isHost, machineOf } from "./build/machines.mjs";
import { completions } from "./generate/completions.mjs";
import { configSchema } from "./generate/config-schema.mjs";
import { manPages } from "./generate/man.mjs";
import { readSpec } from "./generate/spec.mjs";
import { generate } from "./generate.mjs";
import { during } from "./progress.mjs";

const root = path.resolve(import.meta.dirname, "..");

/**
 * A part of what is published.
 * @typedef {{name: string, inputs: string[], outputs: string[], build: () => Promise<void>}} Part
 */

const isOther = (/** @type {string} */ arch) => !isHost(arch);

/**
 * The runtime for the machines that are wanted.
 *
 * @param {string} name
 * @param {(arch: string) => boolean} wanted
 * @returns {Part}
 */
function runtimePart(name, wanted) {
  const wantedOnes = architectures.filter(wanted);
  return {
    name,
    inputs: [
      "runtime",
      "scripts/build",
      "scripts/spec/machines.json",
      "package.json",
      "package-lock.json",
    ],
    outputs: [
      "dist/include/fuselage-mount.h",
      ...wantedOnes.flatMap((arch) => [
        ...["fuselage", "front", "guest"].map((program) => `dist/runtime/${arch}/${program}`),
        ...["libfuselage-mount.a", "pkgconfig/fuselage-mount.pc"].map(
          (file) => `dist/lib/${arch}/${file}`,
        ),
      ]),
    ],
    async build() {
      const { buildRuntime } = await import("./build/runtime.mjs");
      const { buildLibrary } = await import("./build/library.mjs");
      await Promise.all(
        wantedOnes.map(async (arch) => {
          await buildRuntime(arch);
          await buildLibrary(arch);
        }),
      );
    },
  };
}

/**
 * The addon for the machines that are wanted.
 *
 * @param {string} name
 * @param {(arch: string) => boolean} wanted
 * @returns {Part}
 */
function nativePart(name, wanted) {
  const wantedOnes = architectures.filter(wanted);
  return {
    name,
    inputs: [
      "native",
      "runtime/base",
      "runtime/generated/squashfs.h",
      "runtime/squashfs",
      "scripts/build",
      "scripts/spec/machines.json",
      "package-lock.json",
    ],
    outputs: wantedOnes.map((arch) => `dist/native/linux-${machineOf(arch).node}.node`),
    async build() {
      const { buildNative } = await import("./build/native.mjs");
      await Promise.all(wantedOnes.map(buildNative));
    },
  };
}

/** The stubs, for all machines: each is a file of some kilobytes. @type {Part} */
const stubsPart = {
  name: "stubs",
  inputs: [
    "runtime/stubs",
    "runtime/generated/names.h",
    "runtime/generated/own_loader.h",
    "scripts/build",
    "scripts/spec/machines.json",
    "package-lock.json",
  ],
  outputs: architectures.flatMap((arch) =>
    ["loader", "variables"].map((stub) => `dist/stubs/${arch}/${stub}`),
  ),
  async build() {
    const { buildStubs } = await import("./build/stubs.mjs");
    await buildStubs();
  },
};

/** @type {Part[]} */
export const parts = [
  runtimePart("runtime", isHost),
  stubsPart,
  nativePart("native", isHost),
  runtimePart("runtime-other", isOther),
  nativePart("native-other", isOther),
  {
    name: "dist",
    inputs: [
      "builder",
      "scripts/build.mjs",
      "scripts/build/common-files.mjs",
      "scripts/generate.mjs",
      "scripts/generate",
      "scripts/spec",
      "tsconfig.json",
      "package.json",
    ],
    outputs: [
      "dist/index.js",
      "dist/cli/main.js",
      "dist/cli/fuselage-bundle.js",
      "dist/bundle.config.schema.json",
      ...["bundle", "fuselage", "fuselage-bundle"].map((name) => `dist/man/${name}.1`),
      ...["bundle.bash", "_bundle", "bundle.fish"].map((name) => `dist/completions/${name}`),
    ],
    build: buildDist,
  },
  {
    name: "types",
    inputs: ["builder", "scripts/generate", "scripts/spec", "tsconfig.json", "tsconfig.build.json"],
    outputs: ["dist/index.d.ts"],
    build: buildTypes,
  },
  {
    name: "commands",
    inputs: ["runtime", "native", "scripts/build", "package-lock.json"],
    outputs: ["compile_commands.json"],
    async build() {
      const { writeCompileCommands } = await import("./build/compile-commands.mjs");
      await writeCompileCommands();
    },
  },
];

/** Files below the inputs, sorted; a file stands for itself. */
async function inputFiles(/** @type {string[]} */ inputs) {
  const found = [];
  for (const input of inputs) {
    const full = path.join(root, input);
    const entries = await readdir(full, { recursive: true, withFileTypes: true }).catch((error) => {
      if (error.code === "ENOTDIR") return undefined;
      throw error;
    });
    if (entries === undefined) found.push(full);
    for (const entry of entries ?? []) {
      if (entry.isFile()) found.push(path.join(entry.parentPath, entry.name));
    }
  }
  return found.sort();
}

async function fingerprint(/** @type {string[]} */ inputs) {
  const hash = createHash("sha256");
  for (const file of await inputFiles(inputs)) {
    const bytes = await readFile(file);
    hash.update(`${path.relative(root, file)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

const stampFile = (/** @type {Part} */ { name }) => path.join(root, "build/stamps", name);

async function isFresh(/** @type {Part} */ part, /** @type {string} */ current) {
  if (!part.outputs.every((file) => existsSync(path.join(root, file)))) return false;
  return current === (await readFile(stampFile(part), "utf8").catch(() => ""));
}

/** Sources in builder/cli that are commands of their own. */
const commands = ["main", "fuselage-bundle"];

/** Man pages, completions and the schema of bundle.config.*, from the option tables. */
async function writeDocuments() {
  const spec = readSpec();
  const schema = `${JSON.stringify(configSchema(spec.options), null, 2)}\n`;
  await writeFile(path.join(root, "dist/bundle.config.schema.json"), schema);
  const folders = { man: manPages(spec), completions: completions(spec.options) };
  for (const [folder, files] of Object.entries(folders)) {
    const dir = path.join(root, "dist", folder);
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(dir, name), text);
  }
}

/** JavaScript, man pages and completions of the builder; packages stay packages. */
async function buildDist() {
  const esbuild = await import("esbuild");
  const { commonFiles, importedByAll } = await import("./build/common-files.mjs");
  /** @type {import("esbuild").BuildOptions & {metafile: true}} */
  const options = {
    absWorkingDir: root,
    entryPoints: ["builder/index.ts", ...commands.map((name) => `builder/cli/${name}.ts`)],
    outbase: "builder",
    outdir: "dist",
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node20.19",
    metafile: true,
    logLevel: "warning",
  };
  const apart = await esbuild.build({ ...options, write: false });
  const plugins = [importedByAll(root, commonFiles(apart.metafile))];
  const { metafile } = await esbuild.build({ ...options, plugins });
  for (const name of commands) await chmod(path.join(root, `dist/cli/${name}.js`), 0o755);
  await writeDocuments();
  const made = new Set(Object.keys(metafile.outputs).map((file) => path.join(root, file)));
  for (const file of await inputFiles(["dist"])) {
    if (file.endsWith(".js") && !made.has(file)) await rm(file);
  }
}

async function buildTypes() {
  const { run } = await import("./build/toolchain.mjs");
  await run(path.join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"]);
  // Those that no export needs are nobody's business.
  const { reachableDeclarations } = await import("./build/declarations.mjs");
  const first = path.join(root, "dist/index.d.ts");
  const needed = reachableDeclarations(first, (file) => readFileSync(file, "utf8"));
  for (const file of await inputFiles(["dist"])) {
    if (file.endsWith(".d.ts") && !needed.has(file)) await rm(file);
  }
}

async function buildPart(/** @type {Part} */ part, /** @type {string} */ current) {
  await rm(stampFile(part), { force: true });
  await part.build();
  await mkdir(path.dirname(stampFile(part)), { recursive: true });
  await writeFile(stampFile(part), current);
}

/**
 * Builds the parts that are stale.
 *
 * @param {{only?: string[], force?: boolean}} options
 * @returns {Promise<string[]>} what was built
 */
export async function buildStale({ only, force = false } = {}) {
  const built = generate().length > 0 ? ["generated sources"] : [];
  /** @type {{part: Part, current: string}[]} */
  const stale = [];
  for (const part of parts) {
    if (only && !only.includes(part.name)) continue;
    const current = await fingerprint(part.inputs);
    if (force || !(await isFresh(part, current))) stale.push({ part, current });
  }
  const names = stale.map(({ part }) => part.name);
  if (stale.length > 0) {
    await during(
      `building ${names.join(", ")}`,
      () => Promise.all(stale.map(({ part, current }) => buildPart(part, current))),
      () => `${progress.done}/${progress.total} files`,
    );
  }
  return [...built, ...names];
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { force: { type: "boolean", default: false } },
  });
  const unknown = positionals.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0) {
    console.error(`build: there is no part ${unknown.join(", ")}`);
    process.exit(2);
  }
  const only = positionals.length > 0 ? { only: positionals } : {};
  const built = await buildStale({ ...only, force: values.force });
  console.log(`build: ${built.join(", ") || "nothing is stale"}`);
}
