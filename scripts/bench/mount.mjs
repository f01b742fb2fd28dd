// How fast a mounted image is read, against the kernel's squashfs on a loop device and Debian's
// squashfuse_ll, and what the server costs.
//
// One image of /usr/share and this checkout's node_modules, and one of a single text of 100 MB,
// both by mksquashfs (zstd 15, blocks of 128 KiB). Every measurement has a mount of its own, because
// a server's caches outlive `drop_caches`; the peers take turns and medians are compared. As root.
//
//   BENCH_MOUNT_ROUNDS=N   rounds of each measurement (5)

import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { root, run } from "../build/toolchain.mjs";
import { compileStatic, machine, median, ownUid } from "./pairs.mjs";

const rounds = Number(process.env.BENCH_MOUNT_ROUNDS ?? 5);
const user = 1000;
const textBytes = 100e6;

async function makeImage(/** @type {string} */ image, /** @type {string[]} */ inputs) {
  if (existsSync(image)) return;
  const options = ["-comp", "zstd", "-Xcompression-level", "15", "-b", "128K", "-quiet"];
  await run("mksquashfs", [...inputs, `${image}.new`, "-no-progress", ...options]);
  renameSync(`${image}.new`, image);
}

/** Words of a small vocabulary, the frequent ones far more often, from a fixed seed. */
function text(/** @type {number} */ bytes) {
  let seed = 12345;
  const random = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed / 0x7fffffff;
  };
  const letters = (/** @type {number} */ n) =>
    Array.from({ length: n }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join("");
  const words = Array.from({ length: 5000 }, () => letters(3 + Math.floor(random() * 9)));
  const parts = [];
  for (let length = 0; length < bytes; ) {
    const word = words[Math.floor(random() * random() * words.length)];
    parts.push(word);
    length += word.length + 1;
  }
  return parts.join(" ").slice(0, bytes);
}

/** Both images, made once for a checkout. */
export async function images(/** @type {string} */ dir) {
  mkdirSync(dir, { recursive: true });
  const tree = path.join(dir, "tree.sfs");
  await makeImage(tree, ["/usr/share", realpathSync(path.join(root, "node_modules"))]);
  const random = path.join(dir, "text.sfs");
  if (!existsSync(random)) {
    mkdirSync(path.join(dir, "text"), { recursive: true });
    writeFileSync(path.join(dir, "text/text"), text(textBytes));
    await makeImage(random, [path.join(dir, "text")]);
    rmSync(path.join(dir, "text"), { recursive: true });
  }
  return { tree, random };
}

/**
 * What all measurements have in common: folders, programs, images, and more of the environment.
 * @typedef {{dir: string, reader: string, home: string, fuselage: string, env: NodeJS.ProcessEnv,
 *   images: Record<string, string>}} Setup
 */

/**
 * Each starts the reader on a mounted image and returns the child and how to unmount.
 * @type {Record<string, (image: string, setup: Setup) =>
 *   {child: import("node:child_process").ChildProcessWithoutNullStreams, end: () => void}>}
 */
const peers = {
  kernel(image, { dir, reader }) {
    const target = mkdtempSync(path.join(dir, "mnt-"));
    command("mount", ["-t", "squashfs", "-o", "loop,ro", image, target]);
    const child = spawn(reader, [target], { uid: user, gid: user });
    return { child, end: () => command("umount", [target]) };
  },
  squashfuse(image, { dir, reader }) {
    const target = mkdtempSync(path.join(dir, "mnt-"));
    command("squashfuse_ll", ["-o", "allow_other", image, target]);
    const child = spawn(reader, [target], { uid: user, gid: user });
    return { child, end: () => command("umount", [target]) };
  },
  ours(image, { fuselage, reader, home, env }) {
    const script = `exec ${reader} "$FUSELAGE_STATIC/a"`;
    const child = spawn(fuselage, [`--static=a:${image}`, "/bin/sh", "-c", script], {
      env: { ...process.env, ...env, HOME: home, FUSELAGE_MOUNT: "fuse" },
      uid: user,
      gid: user,
    });
    return { child, end: () => {} };
  },
};

function command(/** @type {string} */ name, /** @type {string[]} */ args) {
  const { status, stderr } = spawnSync(name, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${name} ${args.join(" ")}: ${stderr}`);
}

/** KiB that the servers of fuselage hold in memory, the largest one. */
export function serverResident() {
  const sizes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() !== "fuselage-fuse") return 0;
        return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
      } catch {
        return 0; // It ended meanwhile.
      }
    });
  return Math.max(0, ...sizes);
}

/**
 * Runs commands on one mount; the ones that begin with "cold " after dropping all caches.
 *
 * @param {string} peer
 * @param {string} image
 * @param {Setup} setup
 * @param {string[]} commands
 */
async function session(peer, image, setup, commands) {
  const { child, end } = peers[peer](image, setup);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stderr.pipe(process.stderr);
  const closed = new Promise((resolve) => child.on("close", resolve));
  await lines.next();
  /** @type {Record<string, number>} */
  const times = {};
  for (const name of commands) {
    if (name.startsWith("cold ")) {
      spawnSync("sync");
      writeFileSync("/proc/sys/vm/drop_caches", "3");
    }
    child.stdin.write(`${name.replace(/^(cold|warm) /, "")}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`${peer}: ${name}: the reader ended`);
    times[name] = Number(value) / 1e9;
  }
  const resident = peer === "ours" ? serverResident() : 0;
  child.stdin.end();
  await closed;
  end();
  return { times, resident };
}

const seconds = (/** @type {number} */ value) => `${value.toFixed(value < 1 ? 3 : 2)} s`;

/**
 * What is measured: commands on one mount, and which of them is compared with whom.
 * @typedef {{image: string, commands: string[], rows: [string, string, Record<string, number>][]}} Plan
 * @type {Plan[]}
 */
export const plans = [
  {
    image: "tree",
    commands: ["cold read 1", "warm read 1"],
    rows: [
      ["cold read 1", "read all files, 1 reader, cold", { kernel: 1.4, squashfuse: 1.5 }],
      ["warm read 1", "read all files, warm", { kernel: 0.95, squashfuse: 3 }],
    ],
  },
  {
    image: "tree",
    commands: ["cold read 2"],
    rows: [["cold read 2", "read all files, 2 readers, cold", { kernel: 1.6, squashfuse: 1.7 }]],
  },
  {
    image: "tree",
    commands: ["cold stat"],
    rows: [["cold stat", "find with stat, cold", { kernel: 1.2, squashfuse: 3 }]],
  },
  {
    image: "tree",
    commands: ["cold find", "warm find"],
    rows: [
      ["cold find", "find without stat, cold", { kernel: 0.5 }],
      ["warm find", "find without stat, warm", { kernel: 1 }],
    ],
  },
  {
    image: "random",
    commands: ["cold random text 6000"],
    rows: [
      ["cold random text 6000", "6,000 random reads of 4 KiB in 100 MB, cold", { kernel: 1.6 }],
    ],
  },
];

/** @param {Plan} plan @param {Setup} setup @param {string[]} names peers */
async function measure(plan, setup, names) {
  /** @type {Record<string, Record<string, number>[]>} */
  const seen = Object.fromEntries(names.map((name) => [name, []]));
  let resident = 0;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const result = await session(name, setup.images[plan.image], setup, plan.commands);
      seen[name].push(result.times);
      resident = Math.max(resident, result.resident);
    }
  }
  const medianOf = (/** @type {string} */ name, /** @type {string} */ what) =>
    median(seen[name].map((times) => times[what]));
  const rows = [];
  for (const [what, title, wanted] of plan.rows) {
    const ours = medianOf("ours", what);
    for (const [peer, least] of Object.entries(wanted)) {
      if (!names.includes(peer)) continue;
      const theirs = medianOf(peer, what);
      rows.push({
        what: `${title}: ${peer === "kernel" ? "kernel squashfs" : "squashfuse_ll"} / ours`,
        measured: `${seconds(theirs)} / ${seconds(ours)} = ${(theirs / ours).toFixed(2)}×`,
        wanted: `≥ ${least}×`,
        met: theirs / ours >= least,
      });
    }
  }
  return { rows, resident };
}

/** @returns {Promise<import("./pairs.mjs").Row[]>} */
export async function bench() {
  if (ownUid !== 0) return []; // loop devices and dropping caches
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  chmodSync(dir, 0o755);
  try {
    const [reader, home] = ["reader", "home"].map((name) => path.join(dir, name));
    await compileStatic("scripts/bench/reader.c", reader);
    mkdirSync(home);
    chownSync(home, user, user);
    const made = await images(process.env.BENCH_MOUNT_IMAGES ?? path.join(root, "build/bench"));
    const fuselage = path.join(dir, "fuselage");
    const built = process.env.BENCH_RUNTIME ?? path.join(root, "dist/runtime", machine, "fuselage");
    writeFileSync(fuselage, readFileSync(built), { mode: 0o755 });
    const setup = { dir, reader, home, fuselage, images: made, env: {} };
    const only = process.env.BENCH_MOUNT_ONLY;
    const names = (process.env.BENCH_MOUNT_PEERS ?? "kernel,squashfuse,ours").split(",");
    const rows = [];
    let resident = 0;
    for (const plan of plans) {
      if (only && !plan.commands.some((name) => name.includes(only))) continue;
      const wanted = names.filter((name) =>
        plan.rows.some(([, , w]) => name === "ours" || w[name]),
      );
      const result = await measure(plan, setup, wanted);
      rows.push(...result.rows);
      resident = Math.max(resident, result.resident);
    }
    rows.push({
      what: "server, resident at most, default cache, after reading everything",
      measured: `${(resident / 1024).toFixed(1)} MiB`,
      wanted: "≤ 48 MiB",
      met: resident > 0 && resident <= 48 * 1024,
    });
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
