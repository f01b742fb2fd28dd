// What a Node app costs as one file: its starts, its size, its build; and what others make of it.
//
// Two programs, `hello` and the compiler of TypeScript printing its version, each as a bundle and as
// the same files in a folder, started with the same Node. As an ordinary user by FUSE; peers take
// turns and medians are compared. The first run fetches peers and packages from the npm registry.
//
//   BENCH_NODE_PAIRS=N    pairs of starts (40); slow peers take a quarter of it

import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { builtPackage } from "../build/dist.mjs";
import { root } from "../build/toolchain.mjs";
import { compileStatic, median, ms, ownUid, timePairs } from "./pairs.mjs";

const pairs = Number(process.env.BENCH_NODE_PAIRS ?? 40);
const isRoot = ownUid === 0;
const uid = isRoot ? 1000 : ownUid;
const home = (/** @type {string} */ dir) => path.join(dir, "home");

/**
 * Peers, and packages of the programs.
 * @type {Record<string, string>}
 */
const packages = {
  "@oven/bun-linux-x64": "1.4.4",
  caxa: "3.0.1",
  fastify: "5.6.1",
  postject: "1.0.0-alpha.6",
  typescript: "5.9.3",
};

/** Programs by their names. @type {Record<string, string>} */
const sources = {
  hello: 'console.log("hello");\n',
  // The command tsc loads one file of six megabytes, the library one of nine.
  tsc: 'require("typescript/lib/_tsc.js");\n',
  library: 'console.log(require("typescript").version);\n',
};

const mb = (/** @type {string} */ file) => statSync(file).size / 1e6;

function installPackages() {
  const dir = path.join(root, "build/bench/node");
  const manifest = JSON.stringify({ private: true, dependencies: packages });
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, "package.json"), manifest);
  const flags = ["--ignore-scripts", "--no-engine-strict", "--no-package-lock", "--no-audit"];
  execFileSync("npm", ["install", ...flags], { cwd: dir, stdio: ["ignore", "ignore", "pipe"] });
  return path.join(dir, "node_modules");
}

/**
 * Makes the folder of a program, with the packages that it imports.
 *
 * @param {string} dir
 * @param {string} name
 * @param {string} modules
 * @param {string[]} wanted
 */
function makeApp(dir, name, modules, wanted) {
  const app = path.join(dir, name);
  mkdirSync(path.join(app, "node_modules"), { recursive: true });
  const dependencies = Object.fromEntries(wanted.map((one) => [one, packages[one]]));
  writeFileSync(path.join(app, "package.json"), JSON.stringify({ main: "main.js", dependencies }));
  writeFileSync(path.join(app, "main.js"), sources[name]);
  for (const one of wanted) {
    cpSync(path.join(modules, one), path.join(app, "node_modules", one), { recursive: true });
  }
  return app;
}

/**
 * A bundle, and the folder that holds what is in it.
 *
 * @param {string} dir @param {string} app @param {"auto" | "host"} libc
 */
async function makeBundle(dir, app, libc = "auto") {
  const { build } = await builtPackage();
  const bundle = `${app}.${libc}.run`;
  await build({ input: app, output: bundle, libc });
  const folder = `${app}.${libc}.folder`;
  execFileSync(bundle, ["--bundle-extract", folder], { env: environment(dir), stdio: "ignore" });
  const plain = [path.join(folder, "node/bin/node"), path.join(folder, "app/main.js")];
  return { bundle, plain };
}

/** @param {string} dir @param {NodeJS.ProcessEnv} more @returns {NodeJS.ProcessEnv} */
function environment(dir, more = {}) {
  const { PATH } = process.env;
  return { PATH, HOME: home(dir), ...more };
}

/** @type {(what: string, measured: string, wanted: string, met: boolean) => import("./pairs.mjs").Row} */
const row = (what, measured, wanted, met) => ({ what, measured, wanted, met });

/** @param {string} what @param {{first: number, second: number}} times ms @param {number} limit */
function ratioRow(what, times, limit) {
  const ratio = times.second / times.first;
  const measured = `${ms(times.second)} / ${ms(times.first)} = ${ratio.toFixed(3)}×`;
  return row(what, measured, `≤ ${limit.toFixed(2)}×`, ratio <= limit);
}

/** @typedef {{name: string, args: string[], bundle: string, plain: string[]}} Program */
/** @typedef {{later: number, first: number}} Limits how often a folder's start is wanted at most */

/**
 * A bundle against its folder. Without the code that was compiled at build time the two do the same
 * work, and what differs is the mount.
 *
 * @param {string} dir @param {string} pair @param {Program} program @param {Limits} limits
 */
async function startRows(dir, pair, { name, bundle, plain, args }, limits) {
  const job = { first: [...plain, ...args], second: [bundle, ...args], uid, pairs };
  const env = environment(dir, { FUSELAGE_LINGER: "20", NODE_DISABLE_COMPILE_CACHE: "1" });
  const later = await timePairs(pair, { ...job, env });
  const fresh = environment(dir, { FUSELAGE_LINGER: "0", NODE_DISABLE_COMPILE_CACHE: "1" });
  const first = await timePairs(pair, { ...job, env: fresh, pairs: Math.ceil(pairs / 4) });
  return [
    ratioRow(`${name}: later starts, bundle / folder with plain node`, later, limits.later),
    ratioRow(`${name}: first start (new mount), bundle / folder`, first, limits.first),
  ];
}

/**
 * A larger bundle, in which what a start reads first is stored uncompressed.
 *
 * @param {string} dir @param {string} pair @param {Program} program
 */
async function hotRow(dir, pair, { name, bundle, plain, args }) {
  const { build } = await builtPackage();
  const hot = `${bundle}.hot`;
  await build({ input: path.join(dir, name), output: hot, hotBudget: 32 * 1024 ** 2 });
  const env = environment(dir, { FUSELAGE_LINGER: "0", NODE_DISABLE_COMPILE_CACHE: "1" });
  const job = { first: [...plain, ...args], second: [hot, ...args], uid, env };
  const times = await timePairs(pair, { ...job, pairs: Math.ceil(pairs / 4) });
  const size = `${mb(hot).toFixed(1)} MB in place of ${mb(bundle).toFixed(1)}`;
  const what = `${name} with --hot-budget 32 MiB (${size}): first start, bundle / folder`;
  return { ...ratioRow(what, times, 1), wanted: "report", met: true };
}

/**
 * The same as users have it: the bundle with the code that was compiled at build time, the folder
 * with what Node does by itself.
 *
 * @param {string} dir @param {string} pair @param {Program} program
 */
async function shippedRows(dir, pair, { name, bundle, plain, args }) {
  const job = { first: [...plain, ...args], second: [bundle, ...args], uid, pairs };
  const later = await timePairs(pair, { ...job, env: environment(dir, { FUSELAGE_LINGER: "20" }) });
  const env = environment(dir, { FUSELAGE_LINGER: "0" });
  const first = await timePairs(pair, { ...job, env, pairs: Math.ceil(pairs / 4) });
  return [
    ratioRow(`${name}, as it is shipped: later starts, bundle / folder`, later, 1.03),
    ratioRow(`${name}, as it is shipped: first start (new mount), bundle / folder`, first, 1.25),
  ];
}

/**
 * With the code that was compiled at build time and without, both through the bundle.
 *
 * @param {string} dir
 * @param {string} pair
 * @param {Pick<Program, "name" | "bundle" | "args">} program
 */
async function cacheRow(dir, pair, { name, bundle, args }) {
  const env = environment(dir, { FUSELAGE_LINGER: "20" });
  const first = ["/usr/bin/env", "NODE_DISABLE_COMPILE_CACHE=1", bundle, ...args];
  const second = ["/usr/bin/env", "FUSELAGE_BENCH=1", bundle, ...args];
  const times = await timePairs(pair, { first, second, uid, env, pairs });
  return ratioRow(`${name}: shipped compile cache / none, later starts`, times, 0.7);
}

/** Single executable application: the blob goes into a copy of the interpreter. */
function makeSea(
  /** @type {string} */ dir,
  /** @type {string} */ modules,
  /** @type {string} */ node,
) {
  const work = path.join(dir, "sea");
  mkdirSync(work);
  writeFileSync(path.join(work, "main.js"), sources.hello);
  const config = { main: "main.js", output: "blob", disableExperimentalSEAWarning: true };
  writeFileSync(path.join(work, "sea.json"), JSON.stringify(config));
  const run = (/** @type {string[]} */ ...args) =>
    execFileSync(node, args, { cwd: work, stdio: "pipe" });
  run("--experimental-sea-config", "sea.json");
  const file = path.join(dir, "hello.sea");
  copyFileSync(node, file);
  chmodSync(file, 0o755);
  const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
  const postject = path.join(modules, "postject/dist/cli.js");
  run(postject, file, "NODE_SEA_BLOB", "blob", "--sentinel-fuse", fuse);
  return file;
}

function makeBun(/** @type {string} */ dir, /** @type {string} */ modules) {
  const bun = path.join(modules, "@oven/bun-linux-x64/bin/bun");
  const file = path.join(dir, "hello.bun");
  chmodSync(bun, 0o755);
  const env = environment(dir, { BUN_INSTALL: dir });
  const args = ["build", "--compile", path.join(dir, "hello/main.js"), "--outfile", file];
  execFileSync(bun, args, { cwd: dir, env, stdio: "pipe" });
  return file;
}

/** caxa packs the Node that it runs in. */
function makeCaxa(
  /** @type {string} */ dir,
  /** @type {string} */ modules,
  /** @type {string} */ node,
) {
  const file = path.join(dir, "hello.caxa");
  const command = ["{{caxa}}/node_modules/.bin/node", "{{caxa}}/main.js"];
  const input = ["--input", path.join(dir, "hello"), "--output", file, "--no-dedupe"];
  const cli = path.join(modules, "caxa/build/index.mjs");
  execFileSync(node, [cli, ...input, "--", ...command], {
    env: environment(dir, { PATH: `${path.dirname(node)}:${process.env.PATH}`, TMPDIR: dir }),
    stdio: "pipe",
  });
  chmodSync(file, 0o755);
  return file;
}

/**
 * Milliseconds of whole runs; `before` is not counted.
 *
 * @param {string} command
 * @param {number} count
 * @param {NodeJS.ProcessEnv} env
 */
function timeRuns(command, count, env, before = () => {}) {
  const times = [];
  for (let i = 0; i < count; i++) {
    before();
    const started = performance.now();
    const { status, error } = spawnSync(command, { env, uid, gid: uid, stdio: "ignore" });
    if (status !== 0) throw new Error(`${command} ended with ${error ?? status}`);
    times.push(performance.now() - started);
  }
  return median(times);
}

/**
 * A peer that cannot be made here is a line of its own, not a reason to stop.
 *
 * @param {string} name
 * @param {() => string} make
 * @returns {{file: string, refusal?: undefined} | {file?: undefined, refusal: string}}
 */
function tried(name, make) {
  try {
    return { file: make() };
  } catch (error) {
    const { stderr = "", message } = /** @type {{stderr?: Buffer, message: string}} */ (error);
    const reason = `${stderr}`.trim() || message;
    return { refusal: `cannot be made here: ${name}: ${reason.split("\n").at(-1)}` };
  }
}

/** @param {string} dir @param {string} modules @param {string} pair @param {Program} program */
async function peerRows(dir, modules, pair, { bundle }) {
  const rows = [];
  // What is put into a Node has to find it as its makers linked it, without a libc beside it.
  const [node] = (await makeBundle(dir, path.join(dir, "hello"), "host")).plain;
  const sea = tried("SEA", () => makeSea(dir, modules, node));
  const bun = tried("bun", () => makeBun(dir, modules));
  const caxa = tried("caxa", () => makeCaxa(dir, modules, node));
  const shown = (/** @type {ReturnType<typeof tried>} */ { file, refusal }) =>
    file ? `${mb(file).toFixed(1)} MB` : refusal;
  const size = mb(bundle);
  const others = `SEA ${shown(sea)}, bun ${shown(bun)}, caxa ${shown(caxa)}`;
  rows.push(row("hello: size", `${size.toFixed(1)} MB (${others})`, "≤ 38 MB", size <= 38));
  const env = environment(dir, { FUSELAGE_LINGER: "20", TMPDIR: home(dir) });
  const count = Math.ceil(pairs / 4);
  for (const [name, { file, refusal }] of Object.entries({ SEA: sea, bun })) {
    const what = `hello: later starts, bundle / ${name}`;
    if (file === undefined) rows.push(row(what, refusal, "report", true));
    else {
      const times = await timePairs(pair, { first: [file], second: [bundle], uid, env, pairs });
      rows.push({ ...ratioRow(what, times, 1), wanted: "report", met: true });
    }
  }
  if (caxa.file === undefined) {
    rows.push(row("hello: bundle / caxa", caxa.refusal, "report", true));
  } else {
    const forget = () => rmSync(path.join(home(dir), "caxa"), { recursive: true, force: true });
    const first = {
      first: timeRuns(caxa.file, count, env, forget),
      second: timeRuns(bundle, count, { ...env, FUSELAGE_LINGER: "0" }),
    };
    rows.push({ ...ratioRow("hello: first start, bundle / caxa", first, 1) });
    const times = await timePairs(pair, { first: [caxa.file], second: [bundle], uid, env, pairs });
    rows.push({ ...ratioRow("hello: later starts, bundle / caxa", times, 1.05) });
  }
  rows.push(row("hello: pkg", "needs GitHub for its Node: not measured", "report", true));
  return rows;
}

/**
 * A server that stops when it listens, in each mode of --bundle: the whole command, with the interpreter
 * and its blocks in the cache, and later starts against the files as they are.
 *
 * @param {string} dir @param {string} modules @param {string} pair
 */
async function modeRows(dir, modules, pair) {
  const app = path.join(dir, "server");
  mkdirSync(app);
  const main =
    'const app = require("fastify")();\napp.get("/", async () => "hello");\n' +
    "app.listen({ port: 0 }).then(() => app.close());\n";
  writeFileSync(path.join(app, "main.js"), main);
  const dependencies = { fastify: packages.fastify };
  writeFileSync(path.join(app, "package.json"), JSON.stringify({ main: "main.js", dependencies }));
  cpSync(modules, path.join(app, "node_modules"), { recursive: true });
  const modes = ["strict", "fast", "none", "strict --libc=host"];
  const output = (/** @type {string} */ mode) => `${app}.${mode.replace(" ", "")}.run`;
  const build = (/** @type {string} */ mode) => {
    const args = ["build", app, "-o", output(mode), ...`--bundle=${mode}`.split(" ")];
    const started = performance.now();
    execFileSync(process.execPath, [path.join(root, "dist/cli/main.js"), ...args], {
      stdio: "pipe",
    });
    return performance.now() - started;
  };
  for (const mode of modes) build(mode);
  /** @type {Record<string, number[]>} */
  const times = Object.fromEntries(modes.map((mode) => [mode, []]));
  for (let i = 0; i < 5; i++) for (const mode of modes) times[mode].push(build(mode));
  const rows = modes.map((mode) => {
    const seconds = median(times[mode]) / 1000;
    const what = `build of a Fastify app, --bundle=${mode}`;
    return row(what, `${seconds.toFixed(2)} s`, "≤ 1.50 s", seconds <= 1.5);
  });
  const env = environment(dir, { FUSELAGE_LINGER: "20" });
  for (const mode of ["strict", "fast"]) {
    const job = { first: [output("none")], second: [output(mode)], uid, env, pairs };
    const ratio = ratioRow(
      `Fastify app: later starts, ${mode} / none`,
      await timePairs(pair, job),
      1,
    );
    rows.push(ratio);
  }
  return rows;
}

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench() {
  // It costs every Node tens of milliseconds, and is set on some machines only.
  delete process.env.NODE_EXTRA_CA_CERTS;
  const modules = installPackages();
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  chmodSync(dir, 0o755);
  try {
    mkdirSync(home(dir));
    if (isRoot) chownSync(home(dir), uid, uid);
    const pair = path.join(dir, "pair");
    await compileStatic("scripts/bench/pair.c", pair);
    const make = async (
      /** @type {string} */ name,
      /** @type {string[]} */ wanted,
      /** @type {string[]} */ args,
    ) => ({ name, args, ...(await makeBundle(dir, makeApp(dir, name, modules, wanted))) });
    const hello = await make("hello", [], []);
    const tsc = await make("tsc", ["typescript"], ["--version"]);
    const library = await make("library", ["typescript"], []);
    if (isRoot) execFileSync("chown", ["-R", `${uid}:${uid}`, home(dir)]);
    if (!existsSync(hello.bundle)) throw new Error("hello was not built");
    return [
      ...(await startRows(dir, pair, hello, { later: 1.05, first: 1.8 })),
      await hotRow(dir, pair, hello),
      ...(await startRows(dir, pair, tsc, { later: 1.03, first: 1.25 })),
      ...(await shippedRows(dir, pair, tsc)),
      await cacheRow(dir, pair, { ...tsc, name: "tsc --version (6 MB)" }),
      await cacheRow(dir, pair, { ...library, name: "typescript.js (9 MB)" }),
      ...(await peerRows(dir, modules, pair, hello)),
      ...(await modeRows(dir, modules, pair)),
    ];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
