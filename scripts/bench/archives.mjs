// Whether a start takes longer when the archive is larger: it must not.
//
// The same program in a small and in a large squashfs archive, started by the runner in turn, read
// only (--static) and as a writable copy (--dynamic), as an ordinary user by FUSE and as root by a
// loop device. The archives hold random bytes, which no codec makes smaller.

import { randomFillSync } from "node:crypto";
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { builtPackage } from "../build/dist.mjs";
import { root } from "../build/toolchain.mjs";
import { compileStatic, machine, ms, ownUid, timePairs } from "./pairs.mjs";

const pairs = 150;
const MB = 1e6;

/** Files of 10 MB of random bytes, so that the archive has tables to speak of too. */
async function fill(/** @type {string} */ dir, /** @type {number} */ bytes) {
  const chunk = Buffer.alloc(Math.min(bytes, 10 * MB));
  for (let written = 0; written < bytes; written += chunk.length) {
    const handle = await open(path.join(dir, `data-${written}`), "w");
    await handle.write(randomFillSync(chunk));
    await handle.close();
  }
}

/** @param {string} dir @param {string} name @param {number} bytes @param {string} hello */
async function makeArchive(dir, name, bytes, hello) {
  const { pack } = await builtPackage();
  const input = path.join(dir, name);
  mkdirSync(input);
  copyFileSync(hello, path.join(input, "hello"));
  await fill(input, bytes);
  const output = path.join(dir, `${name}.sfs`);
  await pack({ input, output, compression: "none" });
  rmSync(input, { recursive: true });
  return output;
}

function whoStarts() {
  const uid = ownUid;
  if (uid !== 0) return [{ who: "as a user", uid, strategy: "fuse" }];
  return [
    { who: "as a user", uid: 1000, strategy: "fuse" },
    { who: "as root", uid: 0, strategy: "loop" },
  ];
}

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench() {
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  chmodSync(dir, 0o755);
  try {
    const [pair, hello] = ["pair", "hello"].map((name) => path.join(dir, name));
    await compileStatic("scripts/bench/pair.c", pair);
    await compileStatic("scripts/bench/hello.c", hello);
    const fuselage = path.join(dir, "fuselage");
    copyFileSync(path.join(root, "dist/runtime", machine, "fuselage"), fuselage);
    const small = await makeArchive(dir, "small", MB, hello);
    const large = await makeArchive(dir, "large", 1000 * MB, hello);
    const half = await makeArchive(dir, "half", 500 * MB, hello);
    const rows = [];
    for (const { who, uid, strategy } of whoStarts()) {
      const home = path.join(dir, `home-${uid}`);
      mkdirSync(home);
      if (ownUid === 0) chownSync(home, uid, uid);
      const env = { ...process.env, HOME: home, FUSELAGE_MOUNT: strategy };
      const command = (/** @type {string} */ option, /** @type {string} */ archive) => [
        fuselage,
        `${option}=a:${archive}`,
        "--run",
        "hello",
      ];
      for (const option of ["--static", "--dynamic"]) {
        const job = { first: command(option, small), second: command(option, large) };
        const times = await timePairs(pair, { ...job, uid, env, pairs });
        const ratio = times.second / times.first;
        rows.push({
          what: `start with ${option}, archive of 1 GB against 1 MB, ${who} (${strategy})`,
          measured: `${ms(times.second)} / ${ms(times.first)} = ${ratio.toFixed(3)}×`,
          wanted: "within 10 %",
          met: ratio <= 1.1 && ratio >= 0.9,
        });
      }
      const job = { first: [hello], second: command("--dynamic", half) };
      const times = await timePairs(pair, { ...job, uid, env, pairs });
      rows.push({
        what: `start with --dynamic of a 500 MB squashfs, ${who} (${strategy})`,
        measured: ms(times.second),
        wanted: "≤ 5.00 ms",
        met: times.second <= 5,
      });
    }
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
