// How much longer a start takes in a sandbox.
//
// The same static hello from two bundles, one of them with rules, in turn: later starts, which join the mount that the one
// before left. Without private directories (rules that allow them all), with them, and with namespaces by word.

import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { builtPackage } from "../build/dist.mjs";
import { compileStatic, ownUid, timePairs } from "./pairs.mjs";

const pairs = Number(process.env.BENCH_SANDBOX_PAIRS ?? 300);

/**
 * What the rules allow, and how much longer a start may be.
 * @type {{what: string, permissions: import("../../builder/index.ts").Permissions, limit?: number}[]}
 */
const rows = [
  {
    what: "no private directories",
    permissions: {
      fs: { home: "rw", "/tmp": "rw", "/var/tmp": "rw", "/dev/shm": "rw", "/run": "rw" },
    },
    limit: 1.25,
  },
  { what: "private directories", permissions: {}, limit: 1.4 },
  {
    what: "private directories and ports",
    permissions: { net: { connect: [443], listen: [0] } },
    limit: 1.4,
  },
  { what: "private directories and netns", permissions: { netns: true } },
];

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench() {
  const { build } = await builtPackage();
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  chmodSync(dir, 0o755);
  try {
    const [pair, app, plain] = ["pair", "app", "plain.run"].map((name) => path.join(dir, name));
    mkdirSync(app);
    await compileStatic("scripts/bench/pair.c", pair);
    await compileStatic("scripts/bench/hello.c", path.join(app, "hello"));
    await build({ input: app, output: plain });
    const uid = ownUid === 0 ? 1000 : ownUid;
    const home = path.join(dir, "home");
    mkdirSync(home);
    if (ownUid === 0) chownSync(home, uid, uid);
    const set = { HOME: home, FUSELAGE_MOUNT: "fuse", FUSELAGE_LINGER: "5" };
    const env = { ...process.env, ...set };
    const found = [];
    for (const [index, { what, permissions, limit }] of rows.entries()) {
      const fenced = path.join(dir, `fenced-${index}.run`);
      await build({ input: app, output: fenced, permissions });
      const times = await timePairs(pair, { first: [plain], second: [fenced], uid, env, pairs });
      const factor = times.second / times.first;
      found.push({
        what: `later start of a static hello in a sandbox, ${what} / without`,
        measured: `${times.second.toFixed(2)} ms / ${times.first.toFixed(2)} ms = ${factor.toFixed(3)}×`,
        wanted: limit === undefined ? "report" : `≤ ${limit.toFixed(2)}×`,
        met: limit === undefined || factor <= limit,
      });
    }
    return found;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
