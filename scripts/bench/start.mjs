// How much longer a program takes to start and end when it comes out of a bundle.
//
// A static hello is run directly and through a bundle, in turn; the figure is the median of the
// differences of the pairs. As root by a loop device, as an ordinary user by FUSE.

import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { root, run, zigEnv, zigPath } from "../build/toolchain.mjs";

const machine = { x64: "x86_64", arm64: "aarch64" }[process.arch];
const pairs = 300;
const warmUp = 20;

async function compileStatic(source, output) {
  const flags = ["-target", `${machine}-linux-musl`, "-static", "-O2", "-s"];
  await run(zigPath(), ["cc", ...flags, path.join(root, source), "-o", output], { env: zigEnv() });
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @returns {Promise<{direct: number, bundled: number, difference: number}>} medians, milliseconds */
async function timePairs(pair, { direct, bundle, uid, home, strategy }) {
  const env = { ...process.env, HOME: home, FUSELAGE_MOUNT: strategy };
  const args = [`${pairs + warmUp}`, `${uid}`, direct, "--", bundle];
  const lines = (await run(pair, args, { env })).trim().split("\n").slice(warmUp);
  const times = lines.map((line) => line.split(" ").map((ns) => Number(ns) / 1e6));
  return {
    direct: median(times.map(([first]) => first)),
    bundled: median(times.map(([, second]) => second)),
    difference: median(times.map(([first, second]) => second - first)),
  };
}

const ms = (value) => `${value.toFixed(2)} ms`;

/** @returns {Promise<{what: string, measured: string, wanted: string, met: boolean}[]>} */
export async function bench() {
  const { build } = await import("../../dist/index.js");
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  chmodSync(dir, 0o755);
  try {
    const [pair, app, bundle] = ["pair", "app", "hello.run"].map((name) => path.join(dir, name));
    mkdirSync(app);
    const direct = path.join(dir, "hello");
    await compileStatic("scripts/bench/pair.c", pair);
    await compileStatic("scripts/bench/hello.c", direct);
    copyFileSync(direct, path.join(app, "hello"));
    await build({ input: app, output: bundle });
    const runners =
      process.getuid() === 0
        ? [
            { strategy: "fuse", who: "as a user by fuse", uid: 1000 },
            { strategy: "loop", who: "as root by loop", uid: 0 },
          ]
        : [{ strategy: "fuse", who: "as a user by fuse", uid: process.getuid() }];
    const rows = [];
    for (const { strategy, who, uid } of runners) {
      const home = path.join(dir, `home-${uid}`);
      mkdirSync(home);
      if (process.getuid() === 0) chownSync(home, uid, uid);
      const times = await timePairs(pair, { direct, bundle, uid, home, strategy });
      rows.push({
        what: `start of a static hello, ${who}, minus direct (${ms(times.direct)})`,
        measured: ms(times.difference),
        wanted: "≤ 1.50 ms",
        met: times.difference <= 1.5,
      });
    }
    const { size } = statSync(path.join(root, "dist/runtime", machine, "fuselage"));
    rows.push({
      what: `runtime, stripped, ${machine}`,
      measured: `${(size / 1024).toFixed(1)} KiB`,
      wanted: "≤ 256 KiB",
      met: size <= 256 * 1024,
    });
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
