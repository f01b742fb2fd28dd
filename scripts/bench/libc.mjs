// What a libc that goes along costs a start.
//
// A C hello for glibc and a Node hello, each built with --libc host, auto and pack, are started as later
// starts of a bundle, as an ordinary user, in pairs. With auto this machine's libc has to be new enough, so
// that both sides of that row use the same one. What the choice of a libc costs at each exec is measured in
// folders, without a bundle: the same program as it was linked and with the stub that chooses.
//
//   BENCH_LIBC_PAIRS=N    pairs of starts (300); Node's take a tenth of it

import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { builtPackage } from "../build/dist.mjs";
import { root, run, zigEnv, zigPath } from "../build/toolchain.mjs";
import { compileStatic, machine, ms, ownUid, timePairs } from "./pairs.mjs";

const pairs = Number(process.env.BENCH_LIBC_PAIRS ?? 300);
const isRoot = ownUid === 0;
const uid = isRoot ? 1000 : ownUid;
/** Nothing of what a later start costs depends on which libc it is; ms that the choice may take. */
const RATIO = 1.05;
const DECISION = 0.1;

/** @typedef {"host" | "auto" | "pack"} Libc */

/** A program that every glibc of the last years starts. */
async function compileHello(/** @type {string} */ output) {
  const source = path.join(root, "scripts/bench/hello.c");
  const flags = ["-target", `${machine}-linux-gnu.2.17`, "-O2", "-s"];
  await run(zigPath(), ["cc", ...flags, source, "-o", output], { env: zigEnv() });
}

/**
 * @param {string} dir @param {string} app @param {string} program below the root of the image
 * @param {NodeJS.ProcessEnv} env
 */
async function bundles(dir, app, program, env) {
  const { build } = await builtPackage();
  /** @type {Record<Libc, {bundle: string, program: string}>} */
  const made = Object.create(null);
  for (const libc of /** @type {const} */ (["host", "auto", "pack"])) {
    const bundle = path.join(dir, `${path.basename(app)}.${libc}.run`);
    await build({ input: app, output: bundle, libc });
    const folder = `${bundle}.folder`;
    execFileSync(bundle, ["--bundle-extract", folder], { env, stdio: "ignore" });
    made[libc] = { bundle, program: path.join(folder, program) };
  }
  return made;
}

/** Which libc starts the programs of a bundle here, in the doctor's words. */
function libcOf(/** @type {string} */ bundle, /** @type {NodeJS.ProcessEnv} */ env) {
  const doctor = execFileSync(bundle, ["--bundle-doctor"], { env, encoding: "utf8" });
  return /^libc +(.*)$/m.exec(doctor)?.[1] ?? "none";
}

/** @param {string} what @param {{first: number, second: number}} times ms */
function ratioRow(what, { first, second }) {
  const ratio = second / first;
  const measured = `${ms(second)} / ${ms(first)} = ${ratio.toFixed(3)}×`;
  return { what, measured, wanted: `≤ ${RATIO.toFixed(2)}×`, met: ratio <= RATIO };
}

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench() {
  // It costs every Node tens of milliseconds, and is set on some machines only.
  delete process.env.NODE_EXTRA_CA_CERTS;
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  chmodSync(dir, 0o755);
  try {
    const home = path.join(dir, "home");
    const [pair, native, node] = ["pair", "c", "node"].map((name) => path.join(dir, name));
    for (const folder of [home, path.join(native, "bin"), node]) {
      mkdirSync(folder, { recursive: true });
    }
    const env = { PATH: process.env.PATH, HOME: home };
    await compileStatic("scripts/bench/pair.c", pair);
    await compileHello(path.join(native, "bin/hello"));
    writeFileSync(path.join(node, "main.js"), 'console.log("hello");\n');
    writeFileSync(path.join(node, "package.json"), '{ "main": "main.js" }\n');
    const programs = {
      "C hello": { made: await bundles(dir, native, "bin/hello", env), count: pairs },
      "Node hello": {
        made: await bundles(dir, node, "node/bin/node", env),
        count: Math.ceil(pairs / 10),
      },
    };
    if (isRoot) {
      chownSync(home, uid, uid);
      execFileSync("chown", ["-R", `${uid}:${uid}`, home]);
    }
    const { made } = programs["C hello"];
    const chosen = libcOf(made.auto.bundle, env);
    const isHost = chosen.startsWith("the host's");
    const later = { ...env, FUSELAGE_LINGER: "20" };
    const rows = [];
    for (const [name, { made, count }] of Object.entries(programs)) {
      for (const [libc, which] of /** @type {const} */ ([
        ["auto", isHost ? "auto, the host's libc" : "auto, the packed libc"],
        ["pack", "the packed libc"],
      ])) {
        const job = { first: [made.host.bundle], second: [made[libc].bundle], uid, pairs: count };
        const times = await timePairs(pair, { ...job, env: later });
        rows.push(ratioRow(`${name}: later starts, ${which} / --libc host`, times));
      }
    }
    const [plain, choosing, packed] = [made.host, made.auto, made.pack].map((one) => one.program);
    const inFolder = { uid, env, pairs: pairs * 2 };
    const decision = await timePairs(pair, { ...inFolder, first: [plain], second: [choosing] });
    rows.push({
      what: `choice of a libc at an exec (${isHost ? "the host's" : "the packed one"}), minus without (${ms(decision.first)})`,
      measured: ms(decision.difference),
      wanted: `≤ ${ms(DECISION)}`,
      met: decision.difference <= DECISION,
    });
    const direct = await timePairs(pair, { ...inFolder, first: [plain], second: [packed] });
    rows.push({
      ...ratioRow("C hello: in a folder, the packed libc / as it was linked", direct),
      wanted: "report",
      met: true,
    });
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
