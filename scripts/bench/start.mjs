// How much longer a program takes to start and end when it comes out of a bundle.
//
// A static hello is run directly and through a bundle, in turn; the figure is the median of the
// differences of the pairs. As root by a loop device, as an ordinary user by FUSE. A first start
// mounts; a later one, which is what a user mostly sees, joins the mount that the one before left.

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
import { builtPackage } from "../build/dist.mjs";
import { root } from "../build/toolchain.mjs";
import { compileStatic, machine, ms, ownUid, timePairs } from "./pairs.mjs";

const pairs = 300;

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench() {
  const { build } = await builtPackage();
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
      ownUid === 0
        ? [
            { strategy: "fuse", who: "as a user by fuse", uid: 1000, limit: 1 },
            { strategy: "loop", who: "as root by loop", uid: 0, limit: 1.5 },
          ]
        : [{ strategy: "fuse", who: "as a user by fuse", uid: ownUid, limit: 1 }];
    const rows = [];
    for (const { strategy, who, uid, limit } of runners) {
      const home = path.join(dir, `home-${uid}`);
      mkdirSync(home);
      if (ownUid === 0) chownSync(home, uid, uid);
      for (const [which, linger] of [
        ["first start", "0"],
        ["later start", "5"],
      ]) {
        const set = { HOME: home, FUSELAGE_MOUNT: strategy, FUSELAGE_LINGER: linger };
        const env = { ...process.env, ...set };
        const job = { first: [direct], second: [bundle], uid, env, pairs };
        const times = await timePairs(pair, job);
        rows.push({
          what: `${which} of a static hello, ${who}, minus direct (${ms(times.first)})`,
          measured: ms(times.difference),
          wanted: `≤ ${ms(limit)}`,
          met: times.difference <= limit,
        });
      }
    }
    for (const { program, whose, limit } of [
      { program: "front", whose: "a bundle", limit: 256 },
      {
        program: "fuselage",
        whose: "a bundle with --map, --root or a sandbox, and the runner",
        limit: 320,
      },
    ]) {
      const { size } = statSync(path.join(root, "dist/runtime", machine, program));
      rows.push({
        what: `front of ${whose}, stripped, ${machine}`,
        measured: `${(size / 1024).toFixed(1)} KiB`,
        wanted: `≤ ${limit} KiB`,
        met: size <= limit * 1024,
      });
    }
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
