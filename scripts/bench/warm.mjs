// What a large program costs through a bundle: its first start, the later ones, and many at once.
//
// The program is this machine's Node, stripped, with `-e 0`; its peer is the same file in a folder.
// As an ordinary user by FUSE. The peers take turns; medians are compared. The memory row drops
// caches, so it wants root.
//
//   BENCH_WARM_PAIRS=N    pairs of later starts (40); first starts take a quarter of it
//   BENCH_WARM_ROUNDS=N   rounds of the memory row (3)

import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { builtPackage } from "../build/dist.mjs";
import { run } from "../build/toolchain.mjs";
import { kib, processesOf, read } from "./memory.mjs";
import { compileStatic, median, ms, ownUid, timePairs } from "./pairs.mjs";

const pairs = Number(process.env.BENCH_WARM_PAIRS ?? 40);
const rounds = Number(process.env.BENCH_WARM_ROUNDS ?? 3);
const concurrent = 20;
const isRoot = ownUid === 0;
const uid = isRoot ? 1000 : ownUid;

/**
 * MiB that many of them take at once: their own, by share, and the pages of files.
 *
 * @param {string} command
 * @param {string[]} files
 * @param {NodeJS.ProcessEnv} env
 */
async function memoryOf(command, files, env) {
  spawnSync("sync");
  writeFileSync("/proc/sys/vm/drop_caches", "3");
  const before = kib(read("/proc/meminfo"), "Cached");
  const script = 'process.stdout.write("up"); process.stdin.resume()';
  const children = Array.from({ length: concurrent }, () =>
    spawn(command, ["-e", script], { env, uid, gid: uid, stdio: ["pipe", "pipe", "inherit"] }),
  );
  const ends = children.map((child) => new Promise((resolve) => child.on("close", resolve)));
  await Promise.all(
    children.map((child) => new Promise((resolve) => child.stdout.once("data", resolve))),
  );
  const cached = kib(read("/proc/meminfo"), "Cached") - before;
  // An app's command line is the path in its own mount namespace.
  const pids = new Set([...children.map(({ pid }) => `${pid}`), ...processesOf(files)]);
  const own = [...pids].map((pid) => kib(read(`/proc/${pid}/smaps_rollup`), "Pss"));
  for (const child of children) child.stdin.end();
  await Promise.all(ends);
  return (own.reduce((sum, size) => sum + size, 0) + cached) / 1024;
}

/** @param {string} plain @param {string} bundle @param {NodeJS.ProcessEnv} env */
async function memoryRow(plain, bundle, env) {
  /** @type {{plain: number[], bundle: number[]}} */
  const seen = { plain: [], bundle: [] };
  for (let round = 0; round < rounds; round++) {
    seen.plain.push(await memoryOf(plain, [], env));
    seen.bundle.push(await memoryOf(bundle, [bundle], { ...env, FUSELAGE_LINGER: "1" }));
    while (processesOf([bundle]).length > 0) await sleep(50);
  }
  const [first, second] = [median(seen.plain), median(seen.bundle)];
  return {
    what: `${concurrent} of it at once: memory of all, PSS and page cache, against a plain folder`,
    measured: `${second.toFixed(0)} MiB / ${first.toFixed(0)} MiB = ${(second / first).toFixed(2)}×`,
    wanted: "≤ 1.20×",
    met: second / first <= 1.2,
  };
}

/** @typedef {Parameters<typeof timePairs>[1]} Job */

/** @param {string} what @param {number} limit @param {string} pair @param {Job} job */
async function startRow(what, limit, pair, job) {
  const { first, second } = await timePairs(pair, job);
  return {
    what,
    measured: `${ms(second)} / ${ms(first)} = ${(second / first).toFixed(2)}×`,
    wanted: `≤ ${limit.toFixed(2)}×`,
    met: second / first <= limit,
  };
}

/**
 * A copy of the file for each, so that none finds a mount; its pages are in memory.
 *
 * @param {string} dir
 * @param {string} pair
 * @param {Omit<Job, "pairs">} job
 */
async function firstStarts(dir, pair, { first, second: [bundle, ...args], ...job }) {
  /** @type {{first: number[], second: number[]}} */
  const seen = { first: [], second: [] };
  for (let i = 0; i < Math.ceil(pairs / 4); i++) {
    const copy = path.join(dir, `copy-${i}.run`);
    copyFileSync(bundle, copy);
    const env = { ...job.env, FUSELAGE_LINGER: "1" };
    const once = { pairs: 1, warmUp: 0 };
    const times = await timePairs(pair, { ...job, ...once, env, first, second: [copy, ...args] });
    seen.first.push(times.first);
    seen.second.push(times.second);
    while (processesOf([copy]).length > 0) await sleep(50);
    rmSync(copy);
  }
  const [plain, ours] = [median(seen.first), median(seen.second)];
  return {
    what: "first start of it: the mount is cold, the file warm",
    measured: `${ms(ours)} / ${ms(plain)} = ${(ours / plain).toFixed(2)}×`,
    wanted: "≤ 2.50×",
    met: ours / plain <= 2.5,
  };
}

/**
 * The program kept decompressed in the home: each start mounts, none finds a mount of the one before.
 *
 * @param {string} pair
 * @param {Omit<Job, "pairs">} job `second` begins with a bundle that keeps its program
 */
async function keptStarts(pair, { env, ...job }) {
  const fresh = { ...env, FUSELAGE_LINGER: "0" };
  const few = { ...job, pairs: Math.ceil(pairs / 2), warmUp: 2 };
  const row = (/** @type {string} */ what, /** @type {number} */ limit, more = {}) =>
    startRow(what, limit, pair, { ...few, env: { ...fresh, ...more } });
  const rows = [await row("every start mounts, nothing kept", 5, { FUSELAGE_KEEP: "0" })];
  const options = { uid, gid: uid, env: { ...fresh, FUSELAGE_KEEP: "1" } };
  spawnSync(job.second[0], job.second.slice(1), options);
  while (processesOf([job.second[0]]).length > 0) await sleep(50);
  rows.push(await row("every start mounts, the program kept", 1.3));
  rows.push(await row("later starts, the program kept", 1.15, { FUSELAGE_LINGER: "5" }));
  return rows;
}

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench() {
  const { build } = await builtPackage();
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  chmodSync(dir, 0o755);
  try {
    const [pair, app, bundle, home] = ["pair", "app", "node.run", "home"].map((name) =>
      path.join(dir, name),
    );
    const plain = path.join(app, "node");
    mkdirSync(app);
    mkdirSync(home);
    if (isRoot) chownSync(home, uid, uid);
    await compileStatic("scripts/bench/pair.c", pair);
    copyFileSync(process.execPath, plain);
    await run("strip", [plain]);
    await build({ input: app, output: bundle, entry: "node" });
    const { NODE_EXTRA_CA_CERTS: _, NODE_OPTIONS: __, ...inherited } = process.env;
    const env = { ...inherited, HOME: home, FUSELAGE_MOUNT: "fuse" };
    const job = { first: [plain, "-e", "0"], second: [bundle, "-e", "0"], uid };
    const size = `${(statSync(plain).size / 1e6).toFixed(0)} MB`;
    const rows = [
      await startRow(
        `a program of ${size} (Node), second start, against a plain folder`,
        1.15,
        pair,
        {
          ...job,
          env: { ...env, FUSELAGE_LINGER: "5" },
          pairs,
        },
      ),
      await firstStarts(dir, pair, { ...job, env }),
    ];
    const keeping = path.join(dir, "keeping.run");
    await build({ input: app, output: keeping, entry: "node", keepHot: ["node"] });
    rows.push(...(await keptStarts(pair, { ...job, second: [keeping, "-e", "0"], env })));
    if (isRoot) rows.push(await memoryRow(plain, bundle, env));
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
