// How long an image takes, how much memory, and how large it is, against mksquashfs.
//
//   node scripts/bench/build.mjs [--runs N]
//
//   BENCH_MKSQUASHFS=FILE   the mksquashfs to compare with (the one in PATH)
//   BENCH_BUILD_FILES=N     small files of the tree that memory is measured with (300,000)
//
// The same input (/usr/share and node_modules), codec, level, block size and number of threads, by
// `bundle pack` without its cache; the two run in turn. Wall time decides, processor time is shown
// because it is steadier on a machine that others use too. Memory is the most that was resident, by
// GNU time. With `--order similarity` the size alone is compared, of what is there of a few apps.

import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { root, run } from "../build/toolchain.mjs";
import { median } from "./pairs.mjs";

const threads = 2;
const blockSize = 131072;
const mksquashfs = process.env.BENCH_MKSQUASHFS ?? "mksquashfs";
const fileCount = Number(process.env.BENCH_BUILD_FILES ?? 300_000);
const cli = path.join(root, "dist/cli/main.js");

/** What both make of the large tree. `wall` is what is wanted of ours against theirs. */
const settings = [
  { compression: "zstd:15", peer: ["zstd", "-Xcompression-level", "15"], wall: 0.85 },
  { compression: "gzip:9", peer: ["gzip", "-Xcompression-level", "9"], wall: 0.85 },
  { compression: "xz", peer: ["xz"], wall: 0.9 },
  { compression: "lz4", peer: ["lz4"], wall: 0.9 },
  { compression: "zstd:3", peer: ["zstd", "-Xcompression-level", "3"], wall: 0.5 },
];
const wanted = { size: 1, similar: 0.97, memory: 0.5, mebibytes: 256 };

/** What is packed by similarity: packages of Python and Node, documents, and what is nearly all large programs. */
const apps = [
  "/usr/lib/python3",
  "/usr/lib/python3.11",
  "/usr/share",
  path.join(root, "node_modules"),
];

/** @typedef {{wall: number, processor: number, resident: number}} Cost seconds, and bytes at most */

/** @param {string} command @param {string[]} args @returns {Promise<Cost>} */
async function costs(command, args) {
  const format = ["-q", "-f", "costs %e %U %S %M"];
  const output = await run("bash", [
    "-c",
    '/usr/bin/time "$@" 2>&1',
    "-",
    ...format,
    command,
    ...args,
  ]);
  const found = /costs ([\d.]+) ([\d.]+) ([\d.]+) (\d+)/.exec(output) ?? [];
  const [wall, user, system, kibibytes] = found.slice(1).map(Number);
  return { wall, processor: user + system, resident: kibibytes * 1024 };
}

/** Our command line for several folders, each by its own name in the image, beside the files of `first`. */
function packOf(
  /** @type {string} */ first,
  /** @type {string[]} */ inputs,
  /** @type {string[]} */ options = [],
) {
  const more = inputs.map((input) => `${input}:/${path.basename(input)}`);
  const kept = ["--keep-mtimes", "--no-xattrs", "--no-cache"];
  const flags = ["--threads", `${threads}`, "--block-size", `${blockSize}`, ...kept, ...options];
  return (/** @type {string} */ output, /** @type {string} */ compression) => [
    ...[cli, "pack", first, ...more, "-o", output, "--format", "sfs"],
    ...["--compression", compression, ...flags],
  ];
}

const peerFlags = [
  ...["-b", `${blockSize}`, "-processors", `${threads}`, "-all-root", "-no-xattrs"],
  ...["-no-progress", "-quiet", "-noappend"],
];

/**
 * Both in turn.
 *
 * @param {string} dir for the images
 * @param {string[]} inputs
 * @param {{compression: string, peer: string[], flags?: string[]}} setting
 * @param {number} runs
 */
async function inTurn(dir, inputs, { compression, peer, flags }, runs) {
  const [ours, theirs] = ["ours.sfs", "theirs.sfs"].map((name) => path.join(dir, name));
  const first = path.join(dir, "first");
  mkdirSync(first, { recursive: true });
  writeFileSync(path.join(first, "NOTE"), "made by a benchmark\n");
  const pack = packOf(first, inputs, flags);
  const sources = [...inputs, path.join(first, "NOTE")];
  /** @type {Record<"ours" | "theirs", Cost[]>} */
  const found = { ours: [], theirs: [] };
  for (let i = 0; i < runs; i++) {
    found.ours.push(await costs(process.execPath, pack(ours, compression)));
    found.theirs.push(
      await costs(mksquashfs, [...sources, theirs, "-comp", ...peer, ...peerFlags]),
    );
  }
  const middle = (/** @type {"ours" | "theirs"} */ who, /** @type {keyof Cost} */ what) =>
    median(found[who].map((cost) => cost[what]));
  return {
    size: { ours: statSync(ours).size, theirs: statSync(theirs).size },
    of: (/** @type {keyof Cost} */ what) => ({
      ours: middle("ours", what),
      theirs: middle("theirs", what),
    }),
  };
}

const seconds = (/** @type {number} */ value) => `${value.toFixed(1)} s`;
const megabytes = (/** @type {number} */ value) => `${(value / 1e6).toFixed(1)} MB`;
const mebibytes = (/** @type {number} */ value) => `${(value / 2 ** 20).toFixed(0)} MiB`;

/**
 * @param {string} what
 * @param {{ours: number, theirs: number}} figures
 * @param {(value: number) => string} shown
 * @param {number} [limit]
 * @returns {import("./pairs.mjs").Row}
 */
function row(what, { ours, theirs }, shown, limit) {
  const ratio = ours / theirs;
  const measured = `${shown(ours)} / ${shown(theirs)} = ${ratio.toFixed(3)}×`;
  const met = limit === undefined || ratio <= limit + 0.0005;
  return { what, measured, wanted: limit === undefined ? "" : `≤ ${limit}×`, met };
}

async function fillSmall(/** @type {string} */ dir) {
  for (let i = 0; i < fileCount; i++) {
    const folder = path.join(dir, `${Math.floor(i / 1000)}`);
    if (i % 1000 === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(
      path.join(folder, `file-${i}`),
      `${i} is the number of this file\n`.repeat(1 + (i % 40)),
    );
  }
}

/**
 * Each row as soon as it is there, for all of them take a quarter of an hour.
 *
 * @returns {AsyncGenerator<import("./pairs.mjs").Row>}
 */
async function* measure({ runs = 2 } = {}) {
  const version = await run("bash", ["-c", '"$0" -version | head -1', mksquashfs]);
  const peer = /version ([\w.]+)/.exec(version)?.[1] ?? "?";
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  try {
    const inputs = ["/usr/share", path.join(root, "node_modules")];
    for (const setting of settings) {
      const { size, of } = await inTurn(dir, inputs, setting, runs);
      const what = `/usr/share and node_modules, ${setting.compression}, ours / mksquashfs ${peer}`;
      yield row(`${what}: wall`, of("wall"), seconds, setting.wall);
      yield row(`${what}: processor`, of("processor"), seconds);
      yield row(`${what}: size`, size, megabytes, wanted.size);
      yield row(`${what}: memory`, of("resident"), mebibytes);
    }
    const fast = { compression: "zstd:3", peer: ["zstd", "-Xcompression-level", "3"] };
    const similar = { ...fast, flags: ["--order", "similarity"] };
    for (const app of apps.filter((one) => existsSync(one))) {
      const { size, of } = await inTurn(dir, [app], similar, 1);
      const what = `${path.basename(app)}, zstd:3, --order similarity / mksquashfs ${peer}`;
      yield row(`${what}: size`, size, megabytes, wanted.similar);
      yield row(`${what}: processor`, of("processor"), seconds);
    }
    const small = path.join(dir, "small");
    await fillSmall(small);
    const { of } = await inTurn(dir, [small], settings[0], 1);
    const memory = of("resident");
    const shown = row(`${fileCount} small files: memory`, memory, mebibytes, wanted.memory);
    const met = shown.met && memory.ours <= wanted.mebibytes * 2 ** 20;
    yield { ...shown, wanted: `${shown.wanted}, ≤ ${wanted.mebibytes} MiB`, met };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench(options = {}) {
  const rows = [];
  for await (const one of measure(options)) rows.push(one);
  return rows;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { runs: { type: "string", default: "2" } } });
  const runs = Number(values.runs);
  for await (const { what, measured, wanted: target, met } of measure({ runs })) {
    console.log(`| ${what} | ${measured} | ${target} | ${met ? "yes" : "no"} |`);
  }
}
