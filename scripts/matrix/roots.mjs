// Root filesystems of other systems, on this machine's kernel.
//
// Debian's are made by debootstrap. The others have no package manager and next to nothing in them:
// a libc of their own kind, or none, and a shell of busybox.

import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { machine } from "../bench/pairs.mjs";
import { root, run } from "../build/zig.mjs";
import { debianFiles, debianRoot, debianVersion } from "../debian.mjs";
import { BUNDLES, homeOf } from "./bundles.mjs";
import { cellsProgram, found, planOf, users } from "./cells.mjs";

/** @import {Row} from "./bundles.mjs" @import {Place} from "./cells.mjs" */

/** Programs of busybox that scripts of apps call. */
const applets = ["sh", "cat", "dirname", "echo", "env", "ls", "mkdir", "readlink", "rm", "sed"];

function addBusybox(/** @type {string} */ top, /** @type {string} */ folder) {
  const from = debianFiles("bookworm", ["busybox-static"]);
  mkdirSync(path.join(top, folder), { recursive: true });
  copyFileSync(path.join(from, "bin/busybox"), path.join(top, folder, "busybox"));
  for (const name of applets) symlinkSync("busybox", path.join(top, folder, name));
}

/** @param {string} from @param {string} top @param {string} to */
export function copyTree(from, top, to) {
  const target = path.join(top, to);
  mkdirSync(path.dirname(target), { recursive: true });
  cpSync(from, target, { recursive: true, verbatimSymlinks: true });
}

/** What a store of NixOS has: each package in a folder of its own. */
const STORE = "nix/store/00000000000000000000000000000000";

/**
 * How each root is made by hand.
 * @type {Record<string, {title: string, fill: (top: string) => void}>}
 */
const byHand = {
  nothing: { title: "no libc, no shell", fill: () => {} },
  busybox: {
    title: "busybox alone, no libc",
    fill: (top) => addBusybox(top, "bin"),
  },
  musl: {
    title: "musl and busybox, as Alpine",
    fill(top) {
      const from = debianFiles("bookworm", ["musl"]);
      const library = path.join(from, `lib/${machine}-linux-musl/libc.so`);
      mkdirSync(path.join(top, "lib"), { recursive: true });
      copyFileSync(library, path.join(top, `lib/ld-musl-${machine}.so.1`));
      addBusybox(top, "bin");
    },
  },
  nixos: {
    title: "laid out as NixOS: no /lib64, no /usr/lib",
    fill(top) {
      const from = debianFiles("bookworm", ["libc6"]);
      copyTree(path.join(from, "lib"), top, `${STORE}-glibc-2.36/lib`);
      addBusybox(top, `${STORE}-busybox/bin`);
      mkdirSync(path.join(top, "bin"));
      symlinkSync(`/${STORE}-busybox/bin/sh`, path.join(top, "bin/sh"));
      mkdirSync(path.join(top, "usr/bin"), { recursive: true });
      symlinkSync(`/${STORE}-busybox/bin/env`, path.join(top, "usr/bin/env"));
      mkdirSync(path.join(top, "run/current-system/sw"), { recursive: true });
      symlinkSync(`/${STORE}-busybox/bin`, path.join(top, "run/current-system/sw/bin"));
    },
  },
};

/** Releases of Debian by the names of their roots. @type {Record<string, string>} */
const releases = {
  "debian-11": "bullseye",
  "debian-12": "bookworm",
  "debian-13": "trixie",
  sid: "sid",
};

export const rootNames = [...Object.keys(byHand), ...Object.keys(releases)];

const SOMEBODY = "somebody:x:1000:1000::/:/bin/sh";

function makeByHand(/** @type {string} */ name) {
  const top = path.join(root, "build/matrix/roots", name);
  rmSync(top, { recursive: true, force: true });
  for (const folder of ["proc", "dev", "sys", "etc", "tmp", "run"]) {
    mkdirSync(path.join(top, folder), { recursive: true });
  }
  chmodSync(path.join(top, "tmp"), 0o1777);
  const lines = ["root:x:0:0::/:/bin/sh", SOMEBODY];
  writeFileSync(path.join(top, "etc/passwd"), `${lines.join("\n")}\n`);
  writeFileSync(path.join(top, "etc/hosts"), "127.0.0.1 localhost\n");
  byHand[name].fill(top);
  return { top, title: byHand[name].title };
}

function makeDebian(/** @type {string} */ name) {
  const top = debianRoot(releases[name]);
  // The first start of a system makes it, and fusermount3 of Debian 11 reads it.
  rmSync(path.join(top, "etc/mtab"), { force: true });
  symlinkSync("../proc/self/mounts", path.join(top, "etc/mtab"));
  // fusermount3 mounts for nobody who has no name.
  const users = path.join(top, "etc/passwd");
  if (!/^somebody:/m.test(readFileSync(users, "utf8"))) appendFileSync(users, `${SOMEBODY}\n`);
  return { top, title: `Debian ${debianVersion(top)}` };
}

/** Puts the bundles into a root, with a home for each user. */
function addBundles(/** @type {string} */ top, /** @type {string} */ bundles) {
  const dir = path.join(top, BUNDLES);
  rmSync(dir, { recursive: true, force: true });
  cpSync(bundles, dir, { recursive: true });
  for (const uid of users) {
    const home = path.join(top, homeOf(uid));
    mkdirSync(path.join(home, "mnt"), { recursive: true });
    for (const one of [home, path.join(home, "mnt")]) chownSync(one, uid, uid);
  }
}

/** Starts everything in one root. @param {string} name @param {Row[]} rows @param {string} bundles @returns {Promise<Place>} */
export async function tryRoot(name, rows, bundles) {
  const program = await cellsProgram();
  const { top, title } = Object.hasOwn(byHand, name) ? makeByHand(name) : makeDebian(name);
  addBundles(top, bundles);
  const plan = path.join(root, "build/matrix", `plan-${name}`);
  writeFileSync(plan, planOf(rows, 60));
  const text = await run(program, [plan, "--root", top]);
  rmSync(path.join(top, BUNDLES), { recursive: true });
  return { title, ...found(rows, text) };
}
