// The runtime against another runtime of AppImages, which BENCH_APPIMAGE_RUNTIME names: both stand
// before the same image, as appimagetool puts files together, and are started in turn.
//
// Both are run as an ordinary user; the other one mounts by fusermount. Every start ends by itself, but a server
// may go on a little: starts of a hello have a pause between them, so that neither side pays for the other. A
// first start mounts the image; a later one of ours finds the mount of the one before, and the other runtime has
// none to find.

import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { root, run } from "../build/toolchain.mjs";
import { firstWindow, missingForWindow, windowPrograms } from "./first-window.mjs";
import { compileStatic, machine, ms, ownUid, timePairs } from "./pairs.mjs";

/** How many times each pair is run; BENCH_PAIRS for a try. */
const pairs = Number(process.env.BENCH_PAIRS ?? 200);

/** Between two starts, ms. */
const PAUSE = 50;

const MAGIC = Buffer.from([0x41, 0x49, 0x02]);
const MAGIC_POSITION = 8;

/** A runtime and an image as one file. */
function assemble(
  /** @type {string} */ runtime,
  /** @type {string} */ image,
  /** @type {string} */ output,
) {
  const bytes = Buffer.concat([readFileSync(runtime), readFileSync(image)]);
  MAGIC.copy(bytes, MAGIC_POSITION);
  writeFileSync(output, bytes);
  chmodSync(output, 0o755);
}

/** @type {[string, string, number][]} which start, how long a mount is kept after it, what is wanted */
const STARTS = [
  ["first", "0", 0.25],
  ["later", "5", 0.1],
];

/** As it is for a user, by the helper of libfuse on both sides; and without it on ours. @type {[string, Record<string, string>][]} */
const MOUNTED = [
  ["", {}],
  [" in a namespace", { FUSELAGE_MOUNT: "fuse" }],
];

const row = (
  /** @type {string} */ what,
  /** @type {number} */ ratio,
  /** @type {number} */ most,
  /** @type {string} */ detail,
) => ({
  what,
  measured: `${ratio.toFixed(3)}× (${detail})`,
  wanted: `≤ ${most.toFixed(2)}×`,
  met: ratio <= most,
});

/** An AppDir of a static hello, and for extraction some files beside it. */
async function makeImage(/** @type {string} */ dir) {
  const app = path.join(dir, "app");
  mkdirSync(path.join(app, "usr/lib"), { recursive: true });
  await compileStatic("scripts/bench/hello.c", path.join(app, "usr/hello"));
  symlinkSync("usr/hello", path.join(app, "AppRun"));
  copyFileSync(process.execPath, path.join(app, "usr/lib/large"));
  const image = path.join(dir, "image.sfs");
  const options = ["-quiet", "-no-progress", "-all-root", "-comp", "zstd"];
  await run("mksquashfs", [app, image, ...options]);
  return image;
}

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench() {
  const other = process.env.BENCH_APPIMAGE_RUNTIME;
  if (!other) {
    console.error("bench: appimage is left out: BENCH_APPIMAGE_RUNTIME names no other runtime");
    return [];
  }
  const own = path.join(root, "dist/runtime", machine, "fuselage");
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  chmodSync(dir, 0o755);
  try {
    const [pair, ours, theirs] = ["pair", "ours.AppImage", "theirs.AppImage"].map((name) =>
      path.join(dir, name),
    );
    await compileStatic("scripts/bench/pair.c", pair);
    const image = await makeImage(dir);
    assemble(own, image, ours);
    assemble(other, image, theirs);
    const uid = ownUid === 0 ? 1000 : ownUid;
    const home = path.join(dir, "home");
    mkdirSync(home);
    if (ownUid === 0) chownSync(home, uid, uid);
    const env = { ...process.env, HOME: home, TMPDIR: home };
    const timed = (
      /** @type {string[]} */ first,
      /** @type {string[]} */ second,
      /** @type {Partial<Parameters<typeof timePairs>[1]>} */ how,
    ) => timePairs(pair, { first, second, uid, env, pairs, ...how });
    const direct = [path.join(dir, "app/usr/hello")];
    const overDirect = async (/** @type {Record<string, string>} */ variables) => {
      const how = { pause: PAUSE, env: { ...env, ...variables } };
      const both = await timed([theirs], [ours], how);
      const { first: alone } = await timed(direct, [ours], how);
      const [other, mine] = [both.first - alone, both.second - alone];
      return { ratio: mine / other, detail: `${ms(mine)} against ${ms(other)}` };
    };
    const starts = [];
    for (const [where, variables] of MOUNTED)
      for (const [which, linger, most] of STARTS) {
        const { ratio, detail } = await overDirect({ ...variables, FUSELAGE_LINGER: linger });
        const what = `AppImage of a static hello, ${which} start${where}, minus direct`;
        starts.push(row(what, ratio, most, detail));
      }
    const extracting = "--appimage-extract-and-run";
    const how = { pairs: Math.ceil(pairs / 10) };
    const unpacked = await timed([theirs, extracting], [ours, extracting], how);
    const extracted = {
      ratio: unpacked.second / unpacked.first,
      detail: `${ms(unpacked.second)} against ${ms(unpacked.first)}`,
    };
    const windows = [];
    for (const program of windowPrograms) {
      const missing = missingForWindow(program);
      if (missing !== undefined) {
        console.error(`bench: the first window of ${program} is left out: ${missing}`);
        continue;
      }
      const job = { program, dir, own, runtime: other, home, pairs: Math.ceil(pairs / 20) };
      const { ratio, detail } = await firstWindow(job);
      windows.push(row(`AppImage, first window of ${program}, by fuselage`, ratio, 0.4, detail));
    }
    const sizes = [own, other].map((file) => statSync(file).size);
    const inKiB = sizes.map((size) => `${(size / 1024).toFixed(1)} KiB`).join(" against ");
    return [
      ...starts,
      ...windows,
      row("AppImage, extract and run, 100 MB", extracted.ratio, 0.5, extracted.detail),
      row("AppImage, size of the runtime", sizes[0] / sizes[1], 0.3, inKiB),
    ];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
