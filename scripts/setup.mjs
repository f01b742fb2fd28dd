// Makes a checkout ready: npm packages, generated sources, and for this machine runtime, addon and
// dist, what is missing or stale of them. Needs nothing but Node and npm, and may run any number of
// times, also twice at once.
//
//   node scripts/setup.mjs [--test]
//
// With --test also what only the tests need: the other machine's runtime, and tools from Debian, when
// it is root and apt is there.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
} from "node:fs";
import net from "node:net";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { during, say } from "./progress.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

/**
 * Debian packages by the command of theirs that the tests, or the checks, call, or the path of a file, whose name may
 * have one `*`. Each package has a key of its own: one that came along with another's would not be missed.
 * @type {Record<string, string>}
 */
const testTools = {
  mksquashfs: "squashfs-tools",
  unsquashfs: "squashfs-tools",
  squashfuse: "squashfuse",
  fusermount3: "fuse3",
  getfattr: "attr",
  python3: "python3-venv",
  bwrap: "bubblewrap",
  apparmor_parser: "apparmor",
  gcc: "build-essential",
  "pkg-config": "pkgconf",
  strip: "binutils",
  strace: "strace",
  "clang-19": "clang-19",
  "/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.fuzzer-*.a": "libclang-rt-19-dev",
  zip: "zip",
  unzip: "unzip",
  bsdtar: "libarchive-tools",
  curl: "curl",
  wget: "wget",
  skopeo: "skopeo",
  umoci: "umoci",
  "docker-registry": "docker-registry",
  crun: "crun",
  runc: "runc",
  cpio: "cpio",
  lz4: "lz4",
  zstd: "zstd",
  podman: "podman",
  "7z": "p7zip-full",
  mandoc: "mandoc",
  zsh: "zsh",
  fish: "fish",
  gpg: "gnupg",
  openssl: "openssl",
  zsync: "zsync",
  "desktop-file-validate": "desktop-file-utils",
  appstreamcli: "appstream",
  Xvfb: "xvfb",
  xwd: "x11-apps",
  file: "file",
  "qemu-aarch64-static": "qemu-user-static",
  "qemu-system-x86_64": "qemu-system-x86",
  "/boot/vmlinuz-*-cloud-amd64": "linux-image-cloud-amd64",
  setpriv: "util-linux",
  gdb: "gdb",
  perf: "linux-perf",
  valgrind: "valgrind",
  setcap: "libcap2-bin",
  busybox: "busybox-static",
  "dbus-daemon": "dbus-daemon",
  "dbus-send": "dbus-bin",
  "dbus-test-tool": "dbus-tests",
  "xdg-dbus-proxy": "xdg-dbus-proxy",
  "systemd-analyze": "systemd",
  "docker-compose": "docker-compose",
  "cloud-init": "cloud-init",
  "/usr/lib/python3/dist-packages/yaml/__init__.py": "python3-yaml",
  "systemd-nspawn": "systemd-container",
  "/usr/lib/dbus-1.0/dbus-daemon-launch-helper": "dbus",
  debootstrap: "debootstrap",
  newuidmap: "uidmap",
  "x86_64-linux-musl-gcc": "musl-dev",
  "/usr/aarch64-linux-gnu/lib/libc.so.6": "libc6-dev-arm64-cross",
  "/usr/riscv64-linux-gnu/lib/libc.so.6": "libc6-dev-riscv64-cross",
};

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`setup: Node 20.19 or newer is needed, this is ${process.versions.node}`);
  process.exit(1);
}

/**
 * Lets one setup of this checkout run at a time. The lock is an abstract socket: the kernel drops
 * it with the process that holds it, so a killed setup blocks nobody.
 *
 * @returns {Promise<() => Promise<void>>} gives the lock back
 */
async function lock() {
  const name = createHash("sha256").update(realpathSync(root)).digest("hex").slice(0, 32);
  const address = `\0fuselage-bundle-setup-${name}`;
  for (;;) {
    /** @type {Set<net.Socket>} */
    const waiters = new Set();
    const server = net.createServer((socket) => waiters.add(socket.on("error", () => {})));
    /** @type {NodeJS.ErrnoException | undefined} */
    const error = await new Promise((resolve) => {
      server.once("error", resolve);
      server.listen(address, () => resolve(undefined));
    });
    if (error === undefined) {
      return async () => {
        for (const socket of waiters) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      };
    }
    if (error.code !== "EADDRINUSE") throw error;
    await new Promise((/** @type {(value: void) => void} */ resolve) => {
      const waiting = net.connect(address);
      waiting.on("error", () => resolve());
      waiting.on("close", () => resolve());
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * Runs a command quietly; what it printed is the error's text. `onText` is given that as it comes.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{env?: NodeJS.ProcessEnv, onText?: (text: string) => void}} options
 * @returns {Promise<void>}
 */
function run(command, args, { env = {}, onText } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (/** @type {string} */ chunk) => {
        output += chunk;
        onText?.(chunk);
      });
    }
    child.on("error", (/** @type {NodeJS.ErrnoException} */ error) => {
      reject(error.code === "ENOENT" ? new Error(`${command} is not installed`) : error);
    });
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args.join(" ")} failed (${signal ?? code})\n${output}`));
    });
  });
}

/** @typedef {{version: string, optional?: boolean, os?: string[], cpu?: string[], libc?: string[]}} Locked */

/** @returns {Record<string, Locked>} packages by their folders */
const readPackages = (/** @type {string} */ file) =>
  JSON.parse(readFileSync(path.join(root, file), "utf8")).packages;

/** True when what npm says it installed is what package-lock.json asks for. */
function packagesAreFresh() {
  if (!existsSync(path.join(root, "node_modules/.package-lock.json"))) return false;
  const wanted = readPackages("package-lock.json");
  const installed = readPackages("node_modules/.package-lock.json");
  const same = (/** @type {string} */ name) => installed[name]?.version === wanted[name]?.version;
  // Packages for other machines are optional and are not installed.
  const needed = Object.keys(wanted).filter((name) => name !== "" && !wanted[name].optional);
  return needed.every(same) && Object.keys(installed).every(same);
}

/** Packages that npm will install here, by their folders. */
function wantedPackages() {
  const { header } = /** @type {{header: {glibcVersionRuntime?: string}}} */ (
    process.report.getReport()
  );
  const libc = header.glibcVersionRuntime ? "glibc" : "musl";
  const fits = (/** @type {string[] | undefined} */ list, /** @type {string} */ own) =>
    list === undefined || list.includes(own);
  return Object.entries(readPackages("package-lock.json"))
    .filter(([name]) => name !== "")
    .filter(([, wanted]) => fits(wanted.os, process.platform) && fits(wanted.cpu, process.arch))
    .filter(([, wanted]) => fits(wanted.libc, libc))
    .map(([name]) => path.join(root, name, "package.json"));
}

/**
 * package-lock.json names the packages of all machines, so that `npm ci` takes it as it is. Those of
 * zig for other machines than linux-x64 have no digest there: the registry that the file was made
 * against does not have them.
 */
async function installPackages() {
  if (packagesAreFresh()) return;
  const wanted = wantedPackages();
  await during(
    "installing npm packages",
    () => run("npm", ["ci", "--no-audit", "--no-fund"]),
    () => `${wanted.filter((file) => existsSync(file)).length}/${wanted.length}`,
  );
}

async function build(/** @type {string[]} */ only) {
  const { buildStale } = await import("./build.mjs");
  return (await buildStale({ only })).length;
}

/**
 * Packages of `testTools` that this machine has not.
 *
 * @returns {[tool: string, name: string][]}
 */
export const missingTools = (has = isThere) =>
  Object.entries(testTools).filter(([tool]) => !has(tool));

/** Whether there is a command in the path, or a file of this absolute path. */
export function isThere(/** @type {string} */ tool) {
  if (!path.isAbsolute(tool)) return inPath(tool);
  const { dir, base } = path.parse(tool);
  const [start = "", end] = base.split("*");
  if (end === undefined) return existsSync(tool);
  const names = existsSync(dir) ? readdirSync(dir) : [];
  return names.some((name) => name.startsWith(start) && name.endsWith(end));
}

function inPath(/** @type {string} */ command) {
  for (const dir of (process.env.PATH ?? "").split(path.delimiter)) {
    try {
      accessSync(path.join(dir, command), constants.X_OK);
      return true;
    } catch {
      // Not in this folder.
    }
  }
  return false;
}

/** Installs packages of Debian; each is unpacked and then set up. */
async function installTools(/** @type {string[]} */ packages) {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  let total = 0;
  let done = 0;
  const onText = (/** @type {string} */ text) => {
    const [, count] = /(\d+) newly installed/.exec(text) ?? [];
    total += Number(count ?? 0) * 2;
    done += (text.match(/^(Unpacking|Setting up) /gm) ?? []).length;
  };
  await during(
    "installing tools of the tests",
    async () => {
      await run("apt-get", ["update"], { env });
      const args = ["install", "-y", "--no-install-recommends", ...packages];
      await run("apt-get", args, { env, onText });
    },
    () => (total > 0 ? `${done}/${total} steps` : ""),
  );
}

async function prepareTests() {
  const isRoot = process.getuid?.() === 0;
  const missing = missingTools();
  if (missing.length > 0 && isRoot && inPath("apt-get")) {
    await installTools([...new Set(missing.map(([, name]) => name))]);
  } else if (missing.length > 0) {
    say(`tests that need ${missing.map(([tool]) => tool).join(", ")} will be skipped`);
  }
  // Ordinary users may open it on every distribution; bare containers are stricter.
  if (isRoot && existsSync("/dev/fuse") && (statSync("/dev/fuse").mode & 0o666) !== 0o666) {
    say("opening /dev/fuse to all users");
    chmodSync("/dev/fuse", 0o666);
  }
}

/**
 * Makes the checkout ready, or says why that failed and ends the process.
 *
 * @param {{test?: boolean, other?: boolean}} options `test`: also what only the tests need; `other`:
 *   the other machine's runtime too
 */
export async function setup(options) {
  try {
    await setUp(options);
  } catch (error) {
    console.error(`setup: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}

/** @param {Parameters<typeof setup>[0]} options */
async function setUp({ test = false, other }) {
  checkNode();
  const started = Date.now();
  const release = await lock();
  try {
    await installPackages();
    const parts = [
      "runtime",
      "stubs",
      "native",
      "dist",
      "commands",
      ...((other ?? test) ? ["runtime-other"] : []),
    ];
    const [built] = await Promise.all([build(parts), test && prepareTests()]);
    const what = built > 0 ? "ready" : "everything is up to date";
    say(`setup: ${what} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } finally {
    await release();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const unknown = process.argv.slice(2).filter((arg) => arg !== "--test");
  if (unknown.length > 0) {
    console.error(
      `setup: unknown argument ${unknown.join(" ")}; usage: node scripts/setup.mjs [--test]`,
    );
    process.exit(2);
  }
  await setup({ test: process.argv.includes("--test") });
}
