// What a build costs that finds what an earlier one has left: nothing changed, and one file changed.
//
// A tree of 1 GB in 30,000 files, zstd 15, by `bundle pack` with a cache of its own; and mksquashfs, which
// keeps nothing, with the same codec, level and threads. Each round packs once with an empty cache, once
// again, once after one file has got other bytes, and once by mksquashfs; medians of the rounds.
//
//   BENCH_REBUILD_ROUNDS=N   rounds (3)
//   BENCH_REBUILD_FILES=N    files (30,000), of 34 KB each on average

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { root } from "../build/toolchain.mjs";
import { median } from "./pairs.mjs";

const rounds = Number(process.env.BENCH_REBUILD_ROUNDS ?? 3);
const fileCount = Number(process.env.BENCH_REBUILD_FILES ?? 30_000);
const level = 15;
const threads = 2;
const blockSize = 131072;
const FOLDER_FILES = 100;
/** Bytes of a file at most; they are spread evenly up to it on a scale of factors, so most are small. */
const LARGEST = 262144;
const SMALLEST = 256;
const wanted = { unchanged: 0.05, changed: 0.08 };

/** Bytes that look random, the same for the same seed. */
function* numbers(/** @type {string} */ seed) {
  for (let i = 0; ; i++) {
    const digest = createHash("sha256").update(`${seed} ${i}`).digest();
    for (let at = 0; at < digest.length; at += 4) yield digest.readUInt32LE(at);
  }
}

/** Bytes that do not compress, of which files take pieces from anywhere: to make each anew would take minutes. */
const NOISE = Buffer.concat(
  Array.from({ length: 1 << 17 }, (_, i) => createHash("sha256").update(`noise ${i}`).digest()),
);

/** Half of it words, which compress as programs and texts do, and half of it bytes that hardly do. */
function contents(/** @type {number} */ size, /** @type {string} */ seed) {
  const source = numbers(seed);
  const next = () => /** @type {number} */ (source.next().value);
  const words = Array.from({ length: 64 }, () => next().toString(36));
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const isText = next() % 2 === 0;
    const end = Math.min(size, at + 512 + (next() % 2048));
    if (isText) {
      while (at < end)
        at += bytes.write(`${words[next() % words.length]} `, at, end - at, "latin1");
    } else {
      const from = next() % (NOISE.length - (end - at));
      at += NOISE.copy(bytes, at, from, from + end - at);
    }
  }
  return bytes;
}

function fill(/** @type {string} */ dir) {
  const source = numbers("sizes");
  let total = 0;
  for (let i = 0; i < fileCount; i++) {
    const folder = path.join(dir, `${Math.floor(i / FOLDER_FILES)}`);
    if (i % FOLDER_FILES === 0) mkdirSync(folder);
    const share = /** @type {number} */ (source.next().value) / 2 ** 32;
    const size = Math.floor(SMALLEST * (LARGEST / SMALLEST) ** share);
    total += size;
    writeFileSync(path.join(folder, `file-${i}`), contents(size, `${i}`));
  }
  return total;
}

/** Seconds. */
function timed(/** @type {string} */ command, /** @type {string[]} */ args, env = process.env) {
  const started = performance.now();
  execFileSync(command, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  return (performance.now() - started) / 1000;
}

const seconds = (/** @type {number} */ value) => `${value.toFixed(2)} s`;

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench() {
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  try {
    const [tree, image, peer, cache] = ["tree", "ours.sfs", "peer.sfs", "cache"].map((name) =>
      path.join(dir, name),
    );
    mkdirSync(tree);
    const total = fill(tree);
    const cli = path.join(root, "dist/cli/main.js");
    const settings = ["--compression", `zstd:${level}`, "--threads", `${threads}`];
    const pack = () =>
      timed(process.execPath, [cli, "pack", tree, "-o", image, ...settings], {
        ...process.env,
        XDG_CACHE_HOME: cache,
      });
    const hasPeer = spawnSync("mksquashfs", ["-version"], { stdio: "ignore" }).error === undefined;
    const makePeer = () =>
      timed("mksquashfs", [
        ...[tree, peer, "-comp", "zstd", "-Xcompression-level", `${level}`, "-b", `${blockSize}`],
        ...["-processors", `${threads}`, "-all-root", "-no-xattrs", "-noappend"],
        ...["-no-progress", "-quiet"],
      ]);
    /** @type {Record<"first" | "unchanged" | "changed" | "peer", number[]>} */
    const times = { first: [], unchanged: [], changed: [], peer: [] };
    for (let round = 0; round < rounds; round++) {
      rmSync(cache, { recursive: true, force: true });
      times.first.push(pack());
      times.unchanged.push(pack());
      const file = path.join(tree, "0", `file-${round}`);
      writeFileSync(file, contents(statSync(file).size, `changed in round ${round}`));
      times.changed.push(pack());
      if (hasPeer) times.peer.push(makePeer());
    }
    const of = (/** @type {keyof typeof times} */ which) => median(times[which]);
    const size = `${(total / 1e9).toFixed(2)} GB in ${fileCount} files, zstd ${level}`;
    /** @param {string} what @param {number} one @param {number} other @param {number | undefined} limit */
    const row = (what, one, other, limit) => ({
      what: `${size}: ${what}`,
      measured: `${seconds(one)} / ${seconds(other)} = ${(one / other).toFixed(3)}×`,
      wanted: limit === undefined ? "report" : `≤ ${limit.toFixed(2)}×`,
      met: limit === undefined || one / other <= limit,
    });
    return [
      row("nothing changed / first build", of("unchanged"), of("first"), wanted.unchanged),
      row("one file changed / first build", of("changed"), of("first"), wanted.changed),
      ...(hasPeer
        ? [
            row("first build / mksquashfs", of("first"), of("peer"), undefined),
            row("one file changed / mksquashfs", of("changed"), of("peer"), undefined),
          ]
        : []),
    ];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
