// How fast everything of an image is extracted, against unsquashfs with two processors.
//
// The image of /usr/share and node_modules that `mount` measures. Both write into a new ext4 file
// system of their own each time: one in which files were just deleted makes new ones slowly for
// minutes, because ext4 steps over every inode that was freed a moment ago. Caches are dropped
// before each. As root.
//
//   BENCH_EXTRACT_ROUNDS=N   pairs (5)

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { root } from "../build/toolchain.mjs";
import { images } from "./mount.mjs";
import { median, ownUid } from "./pairs.mjs";

const rounds = Number(process.env.BENCH_EXTRACT_ROUNDS ?? 5);
const GiB = 2 ** 30;

const bundle = path.join(root, "dist/cli/main.js");

/** @typedef {{image: string, file: string}} Subject an image and the bundle around it */

/**
 * Each extracts an image, or the bundle around it, into `target`, which does not exist.
 * @type {Record<string, (subject: Subject, target: string) => string[]>}
 */
const peers = {
  "unsquashfs -p 2": ({ image }, target) => [
    "unsquashfs",
    "-p",
    "2",
    "-q",
    "-n",
    "-d",
    target,
    image,
  ],
  "--bundle-extract": ({ file }, target) => [file, "--bundle-extract", target],
  "bundle extract": ({ image }, target) => [
    process.execPath,
    bundle,
    "extract",
    image,
    "-d",
    target,
  ],
};

/** A bundle around an image. */
function bundleOf(/** @type {string} */ dir, /** @type {string} */ image) {
  const file = path.join(dir, `${path.basename(image)}.run`);
  const args = ["assemble", `--archive=${image}`, `--output=${file}`];
  execFileSync(process.execPath, [
    bundle,
    ...args,
    "--",
    "--static=a:/proc/self/exe",
    "--run",
    "x",
  ]);
  return { image, file };
}

/**
 * Seconds that a command takes in a new file system.
 *
 * @param {string} dir
 * @param {Subject} subject
 * @param {string} peer
 */
function timed(dir, subject, peer) {
  const disk = path.join(dir, "disk");
  const target = path.join(dir, "mnt");
  writeFileSync(disk, "");
  truncateSync(disk, 8 * GiB);
  execFileSync("mkfs.ext4", ["-q", "-F", disk]);
  execFileSync("mount", ["-o", "loop", disk, target]);
  try {
    spawnSync("sync");
    writeFileSync("/proc/sys/vm/drop_caches", "3");
    const [command, ...args] = peers[peer](subject, path.join(target, "out"));
    const start = process.hrtime.bigint();
    execFileSync(command, args, { stdio: ["ignore", "ignore", "inherit"] });
    return Number(process.hrtime.bigint() - start) / 1e9;
  } finally {
    execFileSync("umount", [target]);
    rmSync(disk);
  }
}

const seconds = (/** @type {number} */ value) => `${value.toFixed(2)} s`;

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench() {
  if (ownUid !== 0) return []; // loop devices and dropping caches
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  try {
    mkdirSync(path.join(dir, "mnt"));
    const made = await images(process.env.BENCH_MOUNT_IMAGES ?? path.join(root, "build/bench"));
    const rows = [];
    for (const { image, title, least } of [
      { image: made.tree, title: "extract all of a tree", least: 1.2 },
      { image: made.random, title: "extract one text of 100 MB", least: undefined },
    ]) {
      const subject = bundleOf(dir, image);
      /** @type {Record<string, number[]>} */
      const seen = Object.fromEntries(Object.keys(peers).map((name) => [name, []]));
      for (let round = 0; round < rounds; round++) {
        for (const name of Object.keys(peers)) seen[name].push(timed(dir, subject, name));
      }
      rmSync(subject.file);
      const [theirs, ...ours] = Object.values(seen).map(median);
      for (const [i, time] of ours.entries()) {
        rows.push({
          what: `${title}: unsquashfs -p 2 / ${Object.keys(peers)[i + 1]}`,
          measured: `${seconds(theirs)} / ${seconds(time)} = ${(theirs / time).toFixed(2)}×`,
          wanted: least === undefined ? "" : `≥ ${least}×`,
          met: theirs / time >= (least ?? 0),
        });
      }
    }
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
