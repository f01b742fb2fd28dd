// How long an image takes and how large it is, against mksquashfs.
//
//   node scripts/bench/build.mjs [--runs N]
//
// The same input (/usr/share and node_modules), codec, level, block size and number of threads; the
// two run in turn. Wall time decides, processor time is shown because it is steadier on a machine
// that others use too.

import { mkdtempSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { root, run } from "../build/toolchain.mjs";
import { median } from "./pairs.mjs";

const threads = 2;
const blockSize = 131072;
const settings = [
  { codec: "zstd", level: 15 },
  { codec: "gzip", level: 9 },
  { codec: "zstd", level: 3 },
];
const wanted = { wall: 1.2, size: 1.01 };

/** What our side runs: an image of several directories, as mksquashfs makes one of several sources. */
const script = `
import { treeFromDirectory } from "./builder/input/add-directory.ts";
import { writeSquashfs } from "./builder/squashfs/squashfs.ts";
import { Tree } from "./builder/tree/tree.ts";

const [output, compression, level, ...inputs] = process.argv.slice(2);
const tree = new Tree();
for (const input of inputs) tree.add(input.split("/").pop(), (await treeFromDirectory(input)).root);
const options = { compression, level: Number(level), blockSize: ${blockSize}, threads: ${threads} };
await writeSquashfs(tree, { path: output }, { ...options, xattrs: false });`;

async function compileScript() {
  const outfile = path.join(root, "build/bench/image.mjs");
  await build({
    stdin: { contents: script, resolveDir: root, loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    outfile,
  });
  return outfile;
}

/** Seconds that a command takes: wall, and of processors. */
async function timed(/** @type {string} */ command, /** @type {string[]} */ args) {
  const measured = [
    "-c",
    'TIMEFORMAT="times %R %U %S"; time "$0" "$@" >/dev/null',
    command,
    ...args,
  ];
  const output = await run("bash", measured, { env: { ...process.env, LC_ALL: "C" } });
  const found = /times ([\d.]+) ([\d.]+) ([\d.]+)/.exec(output) ?? [];
  const [wall, user, system] = found.slice(1).map(Number);
  return { wall, processor: user + system };
}

/**
 * @param {{runs: number}} options pairs of runs for each codec
 * @returns {Promise<{name: string, ours: number, peer: number, ratio: number, target: number,
 *   unit: string}[]>} medians: seconds, or bytes of the image
 */
export async function benchBuild({ runs }) {
  const inputs = ["/usr/share", path.join(root, "node_modules")];
  const image = await compileScript();
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  const [ours, peer] = ["ours", "peer"].map((name) => path.join(dir, name));
  const peerFlags = ["-all-root", "-no-progress", "-quiet", "-no-xattrs", "-noappend"];
  try {
    /** @type {Awaited<ReturnType<typeof benchBuild>>} */
    const rows = [];
    for (const { codec, level } of settings) {
      const compression = ["-comp", codec, "-Xcompression-level", `${level}`];
      const more = ["-b", `${blockSize}`, "-processors", `${threads}`, ...peerFlags];
      const node = [image, ours, codec, `${level}`, ...inputs];
      /** @type {Record<"ours" | "peer", {wall: number, processor: number}>[]} */
      const pairs = [];
      for (let i = 0; i < runs; i++) {
        pairs.push({
          ours: await timed(process.execPath, node),
          peer: await timed("mksquashfs", [...inputs, peer, ...compression, ...more]),
        });
      }
      const row = (
        /** @type {string} */ name,
        /** @type {number} */ target,
        /** @type {string} */ unit,
        /** @type {(who: "ours" | "peer") => number} */ of,
      ) => {
        const figures = { ours: of("ours"), peer: of("peer") };
        const ratio = figures.ours / figures.peer;
        rows.push({ name: `${codec} ${level}, ${name}`, ...figures, ratio, target, unit });
      };
      const size = { ours: statSync(ours).size, peer: statSync(peer).size };
      row("wall time", wanted.wall, "s", (who) => median(pairs.map((pair) => pair[who].wall)));
      row("processor time", Infinity, "s", (who) =>
        median(pairs.map((pair) => pair[who].processor)),
      );
      row("size", wanted.size, "bytes", (who) => size[who]);
    }
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const shown = (/** @type {number} */ value, /** @type {string} */ unit) =>
  unit === "s" ? `${value.toFixed(1)} s` : `${(value / 1e6).toFixed(1)} MB`;

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench({ runs = 3 } = {}) {
  const rows = await benchBuild({ runs });
  return rows.map(({ name, ours, peer, ratio, target, unit }) => ({
    what: `build of /usr/share + node_modules against mksquashfs, ${name}`,
    measured: `${shown(ours, unit)} / ${shown(peer, unit)} = ${ratio.toFixed(3)}×`,
    wanted: target === Infinity ? "" : `≤ ${target}×`,
    met: ratio <= target,
  }));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { runs: { type: "string", default: "3" } } });
  for (const { what, measured, wanted: target, met } of await bench({
    runs: Number(values.runs),
  })) {
    console.log(`| ${what} | ${measured} | ${target} | ${met ? "yes" : "no"} |`);
  }
}
