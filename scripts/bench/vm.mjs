// What a virtual machine takes to an app's first byte, against one of the same kernel that Debian's initramfs
// starts from an ext4 disk; what a restore from a snapshot takes of a start; how large initramfs and init are. All by
// QEMU's emulation, so that every machine measures the same thing. Needs qemu-system-x86_64, initramfs-tools and a
// kernel in /boot.
//
//   BENCH_VM_ROUNDS=N   pairs of each measurement (5)

import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { root, run } from "../build/toolchain.mjs";
import { median } from "./pairs.mjs";

/** @import {Row} from "./pairs.mjs" */

const rounds = Number(process.env.BENCH_VM_ROUNDS ?? 5);
const bundle = path.join(root, "dist/cli/main.js");

/** Milliseconds from a command's start to the first output that has `word` in it; then it is ended. */
function firstByte(/** @type {string} */ command, /** @type {string[]} */ args, word = "") {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
    let text = "";
    /** @type {number | undefined} */
    let time;
    child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ part) => {
      text += part;
      if (time !== undefined || !text.includes(word)) return;
      time = performance.now() - began;
      child.kill("SIGKILL");
    });
    child.stdin.write("word\n");
    child.on("error", reject);
    child.on("close", () => {
      if (time === undefined) reject(new Error(`${command} printed no "${word}": ${text}`));
      else resolve(time);
    });
  });
}

/** A kernel with its release; the newest. */
function kernel() {
  const releases = readdirSync("/boot").flatMap((name) => /^vmlinuz-(.+)$/.exec(name)?.[1] ?? []);
  const release = releases.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  if (release === undefined) throw new Error("no kernel is installed in /boot");
  return { release, file: `/boot/vmlinuz-${release}` };
}

/** Debian's way: its initramfs with its usual modules, and a disk of ext4 whose init prints a word. */
async function debianMachine(/** @type {string} */ dir) {
  const { release, file } = kernel();
  const initrd = path.join(dir, "initrd");
  await run("mkinitramfs", ["-o", initrd, release]);
  const tree = path.join(dir, "tree");
  for (const name of ["bin", "sbin", "dev", "proc", "sys", "run", "root", "tmp"]) {
    mkdirSync(path.join(tree, name), { recursive: true });
  }
  copyFileSync("/bin/busybox", path.join(tree, "bin/busybox"));
  const init =
    "#!/bin/busybox sh\n/bin/busybox echo first-byte >/dev/ttyS0\n/bin/busybox sleep 100\n";
  writeFileSync(path.join(tree, "sbin/init"), init);
  chmodSync(path.join(tree, "sbin/init"), 0o755);
  const disk = path.join(dir, "disk");
  await run("mke2fs", ["-q", "-t", "ext4", "-d", tree, disk, "64M"]);
  return [
    ...[
      "-M",
      "q35",
      "-accel",
      "tcg",
      "-cpu",
      "max",
      "-m",
      "256M",
      "-nodefaults",
      "-display",
      "none",
    ],
    ...["-no-reboot", "-kernel", file, "-initrd", initrd, "-serial", "stdio"],
    ...["-append", "console=ttyS0 quiet root=/dev/vda rw init=/sbin/init panic=-1"],
    ...["-drive", `file=${disk},format=raw,if=virtio`],
  ];
}

/** @returns {Promise<Row[]>} */
export async function bench() {
  if (!existsSync("/bin/busybox")) throw new Error("busybox-static is not installed");
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  try {
    return await measure(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @param {string} dir @returns {Promise<Row[]>} */
async function measure(dir) {
  const app = path.join(dir, "app");
  mkdirSync(app);
  copyFileSync("/bin/busybox", path.join(app, "busybox"));
  const file = path.join(dir, "app.run");
  const node = process.execPath;
  await run(node, [bundle, "build", app, "--entry", "busybox", "-o", file]);
  const snapshot = path.join(dir, "app.snapshot");
  const script = "echo first-byte; while read x; do echo again; done";
  const words = ["--accel", "tcg"];
  const start = [bundle, "vm", "run", file, ...words, "--", "sh", "-c", script];
  const save = [bundle, "vm", "snapshot", file, ...words, "--until", "first-byte", "-o", snapshot];
  await run(node, [...save, "--", "sh", "-c", script]);
  const restore = [bundle, "vm", "run", "--from", snapshot];
  const debian = await debianMachine(dir);
  /** @type {{ours: number[], debian: number[], restored: number[]}} */
  const times = { ours: [], debian: [], restored: [] };
  for (let round = 0; round < rounds; round++) {
    times.ours.push(await firstByte(node, start, "first-byte"));
    times.debian.push(await firstByte("qemu-system-x86_64", debian, "first-byte"));
    times.restored.push(await firstByte(node, restore, "again"));
  }
  const ours = median(times.ours);
  const seconds = (/** @type {number} */ ms) => `${(ms / 1000).toFixed(2)} s`;
  const compared = ours / median(times.debian);
  const restored = median(times.restored) / ours;
  const json = [bundle, "vm", "run", file, ...words, "--json", "--", "true"];
  const { stderr } = spawnSync(node, json, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const { residentKiB, initramfsBytes } = JSON.parse(stderr);
  return [
    {
      what: "the initramfs of a machine",
      measured: `${(initramfsBytes / 1024).toFixed(0)} KiB`,
      wanted: "≤ 300 KB",
      met: initramfsBytes <= 300_000,
    },
    {
      what: "its init, resident at most",
      measured: `${residentKiB} KiB`,
      wanted: "≤ 256 KiB",
      met: residentKiB <= 256,
    },
    {
      what: "a machine's first byte, emulated, against Debian's initramfs and an ext4 disk",
      measured: `${seconds(ours)}: ${compared.toFixed(2)} times ${seconds(median(times.debian))}`,
      wanted: "≤ 0.33",
      met: compared <= 0.33,
    },
    {
      what: "a restored machine's first byte, against a start",
      measured: `${seconds(median(times.restored))}: ${restored.toFixed(2)} times`,
      wanted: "≤ 0.4",
      met: restored <= 0.4,
    },
  ];
}
