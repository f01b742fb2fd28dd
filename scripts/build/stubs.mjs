// Builds the stubs: code that the builder puts into programs and into the libc that it packs.
//
//   node scripts/build/stubs.mjs
//
// Output: dist/stubs/<machine>/loader and variables, pieces of bytes without any format around them.

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { job } from "./jobs.mjs";
import { architectures, machineOf } from "./machines.mjs";
import { cFiles, runtimeFlags, runtimeTarget } from "./runtime.mjs";
import { compile, root, zig } from "./toolchain.mjs";

/** @import {Machine} from "../generate/types.mts" */

/** The stubs, by their names in dist/, and which files each is made of. @type {Record<string, RegExp>} */
const STUBS = { loader: /^(?!variables)/, variables: /^variables/ };

const folder = path.join(root, "runtime/stubs");
const ENTRIES = ["loader_entry.S", "variables_entry.S"];

/** Flags of all machines. No table of addresses is made: nobody would relocate it. */
const flags = [
  "-Os",
  ...["-Xclang", "-Oz"], // which zig does not pass on
  "-fPIC",
  "-fvisibility=hidden",
  "-ffunction-sections",
  "-fomit-frame-pointer",
  "-fno-builtin",
  "-fno-jump-tables",
  "-fno-stack-protector",
  "-fno-unwind-tables",
  "-fno-asynchronous-unwind-tables",
  "-fno-sanitize=all",
];

/** Where a stub is linked for a trial; what depends on the place has other bytes at the second one. */
const PLACES = [0, 0x10010];

/**
 * Links a stub at two places, and compares.
 *
 * @param {Machine} machine
 * @param {string[]} objects
 * @param {string} file without an ending
 */
async function link({ name, emulation }, objects, file) {
  const made = await Promise.all(
    PLACES.map(async (place) => {
      const output = `${file}.${place}`;
      const script = path.join(root, "scripts/build/stub.ld");
      await job(() =>
        zig([
          ...["ld.lld", "-static", "-m", emulation, "--no-relax", "--gc-sections", "-T", script],
          ...[
            "--build-id=none",
            `--section-start=.stub=0x${place.toString(16)}`,
            "--oformat",
            "binary",
          ],
          ...[...objects, "-o", output],
        ]),
      );
      return readFile(output);
    }),
  );
  if (!made[0].equals(made[1])) {
    throw new Error(`${path.basename(file)} for ${name} would run only where it is linked for`);
  }
  return made[0];
}

/** Builds the stubs for one machine. @returns {Promise<string[]>} their files, from the root */
async function buildFor(/** @type {Machine} */ machine) {
  const dir = path.join(root, "build/stubs", machine.name);
  const all = [
    ...[...runtimeTarget(machine.name), ...flags, ...machine.compilerFlags, ...machine.stubFlags],
    ...(await runtimeFlags([])),
  ];
  const sources = [...(await cFiles(folder)), ...ENTRIES.map((name) => path.join(folder, name))];
  const units = sources.map((source) => ({ source, flags: all }));
  const { objects } = await compile({ units, outDir: path.join(dir, "objects") });
  return Promise.all(
    Object.entries(STUBS).map(async ([stub, files]) => {
      const parts = objects.filter((object) => files.test(path.basename(object)));
      const bytes = await link(machine, parts, path.join(dir, stub));
      const file = path.join("dist/stubs", machine.name, stub);
      await mkdir(path.join(root, path.dirname(file)), { recursive: true });
      const staging = path.join(root, `${file}.${process.pid}`);
      await writeFile(staging, bytes);
      await rename(staging, path.join(root, file));
      return file;
    }),
  );
}

/** Builds them for every machine. @returns {Promise<string[]>} their files, from the root */
export async function buildStubs() {
  return (await Promise.all(architectures.map(machineOf).map(buildFor))).flat();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const file of await buildStubs()) console.log(file);
}
