// Starts bundles in other systems and on other kernels, and writes docs/compatibility.md.
//
//   npm run matrix [-- --roots] [--kernels] [--apparmor] [--root NAME]... [--kernel RELEASE]...
//
// As root, on Debian: roots are made by debootstrap, kernels come from its packages and are started by
// qemu. What was fetched and made is kept below build/. A run of some parts replaces what an earlier
// one found of them; the page is written when every place was tried once.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { root } from "./build/zig.mjs";
import { debianMirror } from "./debian.mjs";
import { spliceTables } from "./generate/docs.mjs";
import { tryProfiles } from "./matrix/apparmor.mjs";
import { makeBundles } from "./matrix/bundles.mjs";
import { kernelReleases, tryKernel } from "./matrix/kernels.mjs";
import { tables } from "./matrix/page.mjs";
import { rootNames, tryRoot } from "./matrix/roots.mjs";
import { during, say } from "./progress.mjs";
import { setup } from "./setup.mjs";

/** @import {Place} from "./matrix/cells.mjs" @import {Found} from "./matrix/page.mjs" */

const PAGE = "docs/compatibility.md";
const resultsFile = path.join(root, "build/matrix/results.json");

const { values } = parseArgs({
  options: {
    roots: { type: "boolean" },
    kernels: { type: "boolean" },
    apparmor: { type: "boolean" },
    root: { type: "string", multiple: true, default: [] },
    kernel: { type: "string", multiple: true, default: [] },
  },
});

function fail(/** @type {string} */ message) {
  console.error(`matrix: ${message}`);
  process.exit(1);
}

/** What is asked for; everything without an option. */
function parts() {
  const all = process.argv.length === 2;
  const roots = values.roots || all ? rootNames : values.root;
  const kernels = values.kernels || all ? kernelReleases : values.kernel;
  for (const [name, known] of [
    ...roots.map((one) => /** @type {const} */ ([one, rootNames])),
    ...kernels.map((one) => /** @type {const} */ ([one, kernelReleases])),
  ]) {
    if (!known.includes(name)) fail(`there is no ${name}; there are ${known.join(", ")}`);
  }
  return { roots, kernels, apparmor: values.apparmor || all };
}

/** Commands of each part, and the package that has them. @type {Record<"roots" | "kernels", Record<string, string>>} */
const tools = {
  roots: { "g++": "g++", "dpkg-deb": "dpkg", debootstrap: "debootstrap" },
  kernels: { "qemu-system-x86_64": "qemu-system-x86", cpio: "cpio", xz: "xz-utils", "g++": "g++" },
};

/** Ends when something is not there. @param {ReturnType<typeof parts>} wanted */
function checkMachine({ roots, kernels, apparmor }) {
  if (process.arch !== "x64") fail("kernels and roots are those of x86_64");
  if (process.getuid?.() !== 0) fail("root is needed: roots are entered by pivot_root");
  if (debianMirror() === undefined) fail("apt with a mirror of Debian is needed");
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const needed = {
    ...(roots.length > 0 || apparmor ? tools.roots : {}),
    ...(kernels.length > 0 ? tools.kernels : {}),
  };
  const missing = Object.entries(needed).filter(
    ([name]) => !folders.some((dir) => existsSync(path.join(dir, name))),
  );
  if (missing.length === 0) return;
  const packages = new Set(missing.map(([, name]) => name));
  const names = missing.map(([name]) => name).join(", ");
  fail(`${names}: not installed; apt-get install ${[...packages].join(" ")}`);
}

/** What earlier runs found. @returns {Pick<Found, "rows" | "roots" | "kernels" | "apparmor"> & {dates: Record<string, string>}} */
function earlier() {
  try {
    return JSON.parse(readFileSync(resultsFile, "utf8"));
  } catch {
    return { rows: {}, roots: {}, kernels: {}, dates: {} };
  }
}

/** One place of a part; what could not even be made or started is a place with a failure. */
async function tried(/** @type {string} */ name, /** @type {() => Promise<Place>} */ work) {
  try {
    return await during(name, work);
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    say(`${name}: ${message}`);
    return { title: name, failure: message.split("\n")[0], ways: {}, cells: {} };
  }
}

function qemuVersion() {
  try {
    return execFileSync("qemu-system-x86_64", ["--version"], { encoding: "utf8" });
  } catch {
    return ""; // Only kernels need it.
  }
}

/** What the page says of the machine. @returns {Omit<Found["made"], "first" | "last">} */
function machineFacts() {
  const [{ model }] = os.cpus();
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const [kernel] = /^[\d.]+/.exec(os.release()) ?? [os.release()];
  const machine = `${model}, ${os.availableParallelism()} processors`;
  const [, qemu] = /version ([\d.]+)/.exec(qemuVersion()) ?? [];
  return { machine, kernel, qemu, version };
}

/** Tries what is asked for, and keeps it. @returns {Promise<ReturnType<typeof earlier>>} */
async function tryAll(/** @type {ReturnType<typeof parts>} */ wanted) {
  const { rows, dir } = await during("bundles", makeBundles);
  const found = earlier();
  const today = new Date().toISOString().slice(0, 10);
  const keep = () => {
    mkdirSync(path.dirname(resultsFile), { recursive: true });
    writeFileSync(resultsFile, `${JSON.stringify(found, null, 1)}\n`);
  };
  found.rows = Object.fromEntries(rows.map(({ id, title }) => [id, title]));
  for (const name of wanted.roots) {
    found.roots[name] = await tried(`root ${name}`, () => tryRoot(name, rows, dir));
    found.dates[`root ${name}`] = today;
    keep();
  }
  const waiting = [...wanted.kernels];
  const worker = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const release = name;
      found.kernels[name] = await tried(`kernel ${name}`, () => tryKernel(release, rows, dir));
      found.dates[`kernel ${name}`] = today;
      keep();
    }
  };
  // Each emulated machine has one processor.
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
  if (wanted.apparmor) found.apparmor = await during("profiles of AppArmor", tryProfiles);
  keep();
  return found;
}

const wanted = parts();
checkMachine(wanted);
await setup({});
const found = await tryAll(wanted);
/** @type {(names: string[], places: Record<string, Place>) => Record<string, Place>} */
const ordered = (names, places) =>
  Object.fromEntries(names.filter((name) => places[name]).map((name) => [name, places[name]]));
const dates = Object.values(found.dates).toSorted();
const texts = tables({
  ...found,
  roots: ordered(rootNames, found.roots),
  kernels: ordered(kernelReleases, found.kernels),
  made: { first: dates[0], last: dates[dates.length - 1], ...machineFacts() },
});
const all = [
  ...rootNames.map((one) => `root ${one}`),
  ...kernelReleases.map((one) => `kernel ${one}`),
];
const untried = all.filter((name) => !(name in found.dates));
if (untried.length > 0) {
  say(`\n${texts.join("\n\n")}\n\n${PAGE} stays as it is: not tried yet: ${untried.join(", ")}`);
} else {
  writeFileSync(path.join(root, PAGE), spliceTables(PAGE, texts));
  say(`${PAGE} is written`);
}
