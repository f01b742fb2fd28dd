// Kernels of Debian, each started by qemu without any help of this machine's own.
//
// One initramfs has the modules, a userland of the kernel's release (busybox and what glibc, libstdc++,
// mount and fuse3 install) and the bundles. Its init moves the latter to a tmpfs, because a program below the
// initramfs can neither pivot_root nor be given a user namespace with mounts, and starts cells.c there.

import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { root } from "../build/zig.mjs";
import { debianFiles, dependencies } from "../debian.mjs";
import { BUNDLES, homeOf } from "./bundles.mjs";
import { cellsProgram, found, planOf, users } from "./cells.mjs";

/** @import {Row} from "./bundles.mjs" @import {Place} from "./cells.mjs" */

export const kernelReleases = ["bullseye", "bookworm", "trixie", "sid"];

/** What a start may need, and what those need is found in themselves. */
const wanted = ["loop", "squashfs", "fuse", "overlay"];

/** A program takes ten times as long under emulation, and more where others use the processors. */
const STEP_SECONDS = 300;
const BOOT_SECONDS = 3000;

/** fusermount3 of Debian 13 calls mount. */
const mount = ["mount", "libmount1", "libblkid1", "libselinux1", "libpcre2-8-0"];
const userland = ["libc6", "libstdc++6", "libgcc-s1", "fuse3", ...mount];

/** The name of a module does not tell _ from -. */
const plain = (/** @type {string} */ name) => name.replaceAll("-", "_");

/** @param {string} dir with the modules of one kernel */
function modulesIn(dir) {
  const files = readdirSync(dir, { recursive: true, encoding: "utf8" });
  const modules = files.filter((name) => /\.ko(\.xz)?$/.test(name));
  return new Map(
    modules.map((name) => [
      plain(path.basename(name).replace(/\.ko.*$/, "")),
      path.join(dir, name),
    ]),
  );
}

/** A module's bytes; its kernel could unpack them, but an old insmod could not. */
function moduleBytes(/** @type {string} */ file) {
  if (!file.endsWith(".xz")) return readFileSync(file);
  return execFileSync("xz", ["-dc", file], { maxBuffer: 64 << 20 });
}

/**
 * Copies modules and those that they depend on, named so that they sort in the order of their loading.
 * What is built into the kernel has no file.
 *
 * @param {Map<string, string>} modules @param {string} to
 */
function copyModules(modules, to) {
  mkdirSync(to, { recursive: true });
  /** @type {string[]} */
  const done = [];
  const add = (/** @type {string} */ name) => {
    const file = modules.get(name);
    if (file === undefined || done.includes(name)) return;
    const bytes = moduleBytes(file);
    const [, depends] = /\0depends=([^\0]*)\0/.exec(bytes.toString("latin1")) ?? [];
    for (const one of (depends ?? "").split(",").filter(Boolean)) add(plain(one));
    done.push(name);
    writeFileSync(path.join(to, `${String(done.length).padStart(2, "0")}-${name}.ko`), bytes);
  };
  for (const name of wanted) add(name);
}

/** In the initramfs: all that is below /system becomes the root, in a tmpfs. */
const init = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc none /proc
for module in /modules/*.ko; do $b insmod "$module"; done
$b mount -t tmpfs -o mode=755 none /new
for one in /system/*; do $b mv "$one" /new/; done
$b mount -t proc none /new/proc
$b mount -t sysfs none /new/sys
$b mount -t devtmpfs none /new/dev
$b umount /proc
exec $b switch_root /new /bin/busybox sh /start
`;

const homes = users.map((uid) => {
  const home = homeOf(uid);
  return `$b mkdir -p ${home}/mnt\n$b chown -R ${uid}:${uid} ${home}`;
});

/** What udev does for /dev/fuse, and a home for each user; then the cells. */
const startScript = `b=/bin/busybox
export PATH=/bin
$b chmod 666 /dev/fuse
$b ip link set lo up
${homes.join("\n")}
echo "@kernel $($b uname -r)"
/cells /plan
echo "@end"
$b reboot -f
`;

/** @param {string} release @param {string} bundles @param {Row[]} rows @param {Map<string, string>} modules */
async function fillInitramfs(release, bundles, rows, modules) {
  const top = path.join(root, "build/matrix/kernels", release);
  const system = path.join(top, "system");
  rmSync(top, { recursive: true, force: true });
  for (const folder of ["bin", "proc", "new"])
    mkdirSync(path.join(top, folder), { recursive: true });
  for (const folder of ["proc", "sys", "dev", "run", "etc"]) {
    mkdirSync(path.join(system, folder), { recursive: true });
  }
  mkdirSync(path.join(system, "tmp"));
  chmodSync(path.join(system, "tmp"), 0o1777);
  const busybox = path.join(debianFiles("bookworm", ["busybox-static"]), "bin/busybox");
  copyFileSync(busybox, path.join(top, "bin/busybox"));
  writeFileSync(path.join(top, "init"), init, { mode: 0o755 });
  copyModules(modules, path.join(top, "modules"));
  addUserland(release, system, busybox);
  cpSync(bundles, path.join(system, BUNDLES), { recursive: true });
  copyFileSync(await cellsProgram(), path.join(system, "cells"));
  writeFileSync(path.join(system, "plan"), planOf(rows, STEP_SECONDS));
  writeFileSync(path.join(system, "start"), startScript);
  return top;
}

/** Folders as on a machine: /bin and /lib are links to those in /usr. */
function addUserland(
  /** @type {string} */ release,
  /** @type {string} */ system,
  /** @type {string} */ busybox,
) {
  const files = debianFiles(release, userland);
  for (const folder of ["bin", "lib", "lib64"]) {
    mkdirSync(path.join(system, "usr", folder), { recursive: true });
    symlinkSync(`usr/${folder}`, path.join(system, folder));
    for (const from of [path.join(files, folder), path.join(files, "usr", folder)]) {
      copyFiles(from, path.join(system, "usr", folder));
    }
  }
  chmodSync(path.join(system, "usr/bin/fusermount3"), 0o4755);
  copyFileSync(busybox, path.join(system, "usr/bin/busybox"));
  for (const name of ["sh", "dirname", "cat", "env"]) {
    symlinkSync("busybox", path.join(system, "usr/bin", name));
  }
  const users = "root:x:0:0::/:/bin/sh\nsomebody:x:1000:1000::/:/bin/sh\n";
  writeFileSync(path.join(system, "etc/passwd"), users);
  symlinkSync("../proc/self/mounts", path.join(system, "etc/mtab"));
  writeFileSync(path.join(system, "etc/hosts"), "127.0.0.1 localhost\n");
}

function copyFiles(/** @type {string} */ from, /** @type {string} */ to) {
  const copying = { recursive: true, verbatimSymlinks: true, force: true };
  const names = existsSync(from) ? readdirSync(from) : [];
  for (const name of names) cpSync(path.join(from, name), path.join(to, name), copying);
}

/** Writes a folder as an uncompressed cpio archive, all of it root's. */
function archive(/** @type {string} */ top) {
  const file = `${top}.cpio`;
  const script = "find . -print0 | sort -z | cpio --null -o --quiet -H newc -R 0:0";
  const to = openSync(file, "w");
  execFileSync("sh", ["-c", script], { cwd: top, stdio: ["ignore", to, "inherit"] });
  closeSync(to);
  return file;
}

/**
 * Starts a kernel and waits for its end, or ends it when it takes too long.
 *
 * @param {string} kernel @param {string} initramfs
 * @param {string} log takes what it writes to its console
 * @returns {Promise<void>}
 */
function boot(kernel, initramfs, log) {
  const options = ["-accel", "tcg", "-cpu", "max", "-m", "2048", "-nographic", "-no-reboot"];
  const quiet = ["-nic", "none", "-append", "console=ttyS0 quiet panic=-1"];
  const args = [...options, "-kernel", kernel, "-initrd", initramfs, ...quiet];
  const console = openSync(log, "w");
  return new Promise((resolve, reject) => {
    const child = spawn("qemu-system-x86_64", args, {
      stdio: ["ignore", console, console],
      timeout: BOOT_SECONDS * 1000,
      killSignal: "SIGKILL",
    });
    closeSync(console);
    child.on("error", reject);
    child.on("close", () => resolve());
  });
}

/** Starts everything on one kernel. @param {string} release @param {Row[]} rows @param {string} bundles @returns {Promise<Place>} */
export async function tryKernel(release, rows, bundles) {
  const [image] = dependencies(release, "linux-image-amd64", /^linux-image-\d/);
  // In newer releases the image is a package that has its parts in others.
  const parts = dependencies(release, image, /^linux-(binary|modules)-\d/);
  const files = debianFiles(release, [image, ...parts]);
  const version = image.slice("linux-image-".length);
  const kernel = [`boot/vmlinuz-${version}`, `usr/lib/modules/${version}/vmlinuz`]
    .map((name) => path.join(files, name))
    .find((file) => existsSync(file));
  if (kernel === undefined) throw new Error(`${image} of ${release} has no kernel`);
  const libraries = ["lib", "usr/lib"].map((dir) => path.join(files, dir, "modules", version));
  const modules = new Map(
    libraries.filter((dir) => existsSync(dir)).flatMap((dir) => [...modulesIn(dir)]),
  );
  const top = await fillInitramfs(release, bundles, rows, modules);
  const initramfs = archive(top);
  const log = `${top}.log`;
  await boot(kernel, initramfs, log);
  const text = readFileSync(log, "latin1");
  rmSync(top, { recursive: true });
  rmSync(initramfs);
  const title = `Linux ${version}`;
  if (text.includes("@end")) return { title, ...found(rows, text) };
  const failure = text.includes("@kernel") ? "it did not come to its end" : "it did not start";
  return { title, failure, ...found(rows, text) };
}
