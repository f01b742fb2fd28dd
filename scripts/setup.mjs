// Makes a checkout ready: npm packages, generated sources, runtime, addon and dist, what is missing
// or stale of them. Needs nothing but Node and npm, and may run any number of times, also twice at
// once.
//
//   node scripts/setup.mjs [--test]
//
// With --test it installs what only the tests need from Debian, when it is root and apt is there.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  readFileSync,
  realpathSync,
  statSync,
} from "node:fs";
import net from "node:net";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const started = Date.now();

/** Debian packages by the command of theirs that the tests, or the checks, call. */
const testTools = {
  mksquashfs: "squashfs-tools",
  unsquashfs: "squashfs-tools",
  squashfuse: "squashfuse",
  fusermount3: "fuse3",
  getfattr: "attr",
  python3: "python3-venv",
  bwrap: "bubblewrap",
  gcc: "build-essential",
  strip: "binutils",
  strace: "strace",
  "clang-19": "clang-19 libclang-rt-19-dev",
  unzip: "unzip",
  mandoc: "mandoc",
  zsh: "zsh",
  fish: "fish",
  gpg: "gnupg",
  zsync: "zsync",
  "desktop-file-validate": "desktop-file-utils",
  appstreamcli: "appstream",
  Xvfb: "xvfb",
  xwd: "x11-apps",
  file: "file",
  "qemu-aarch64-static": "qemu-user-static",
};

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`setup: Node 20.19 or newer is needed, this is ${process.versions.node}`);
  process.exit(1);
}

/** Grows one line on stdout, a word for each step that has something to do. */
const line = {
  open: false,
  add(text) {
    process.stdout.write(`${this.open ? ", " : "setup: "}${text}`);
    this.open = true;
  },
  end() {
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    if (!this.open) this.add("everything is up to date");
    process.stdout.write(` (${seconds} s)\n`);
  },
};

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
    const waiters = new Set();
    const server = net.createServer((socket) => waiters.add(socket.on("error", () => {})));
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
    await new Promise((resolve) => {
      const waiting = net.connect(address);
      waiting.on("error", () => resolve());
      waiting.on("close", () => resolve());
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs a command quietly; what it printed is the error's text. */
function run(command, args, env = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ["ignore", "pipe", "pipe"];
    const child = spawn(command, args, { cwd: root, stdio, env: { ...process.env, ...env } });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
      });
    }
    child.on("error", (error) => {
      reject(error.code === "ENOENT" ? new Error(`${command} is not installed`) : error);
    });
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args.join(" ")} failed (${signal ?? code})\n${output}`));
    });
  });
}

/** True when what npm says it installed is what package-lock.json asks for. */
function packagesAreFresh() {
  const read = (file) => JSON.parse(readFileSync(path.join(root, file), "utf8")).packages;
  if (!existsSync(path.join(root, "node_modules/.package-lock.json"))) return false;
  const wanted = read("package-lock.json");
  const installed = read("node_modules/.package-lock.json");
  const same = (name) => installed[name]?.version === wanted[name]?.version;
  // Packages for other machines are optional and are not installed.
  const needed = Object.keys(wanted).filter((name) => name !== "" && !wanted[name].optional);
  return needed.every(same) && Object.keys(installed).every(same);
}

async function installPackages() {
  if (packagesAreFresh()) return;
  line.add("installing npm packages");
  const quiet = ["--no-audit", "--no-fund"];
  try {
    await run("npm", ["ci", ...quiet]);
  } catch (error) {
    // A lock file that was made against a registry without some optional packages, those of other
    // machines, is out of step for `npm ci`. Its versions hold for `npm install` all the same.
    if (!error.message.includes("EUSAGE")) throw error;
    await run("npm", ["install", "--no-save", ...quiet]);
  }
}

async function build() {
  const { buildStale } = await import("./build.mjs");
  const only = ["runtime", "native", "dist"];
  await buildStale({ only, onStart: (name) => line.add(`building ${name}`) });
}

function inPath(command) {
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

async function prepareTests() {
  const isRoot = process.getuid?.() === 0;
  const missing = Object.keys(testTools).filter((tool) => !inPath(tool));
  if (missing.length > 0 && isRoot && inPath("apt-get")) {
    const packages = [...new Set(missing.flatMap((tool) => testTools[tool].split(" ")))];
    line.add(`installing ${packages.join(" ")}`);
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update"], env);
    await run("apt-get", ["install", "-y", "--no-install-recommends", ...packages], env);
  } else if (missing.length > 0) line.add(`tests that need ${missing.join(", ")} will be skipped`);
  // Ordinary users may open it on every distribution; bare containers are stricter.
  if (isRoot && existsSync("/dev/fuse") && (statSync("/dev/fuse").mode & 0o666) !== 0o666) {
    line.add("opening /dev/fuse to all users");
    chmodSync("/dev/fuse", 0o666);
  }
}

/**
 * Makes the checkout ready, or says why that failed and ends the process.
 *
 * @param {{test?: boolean}} options `test`: the tools of the tests too
 */
export async function setup(options) {
  try {
    await setUp(options);
  } catch (error) {
    console.error(`setup: ${error.message}`);
    process.exit(1);
  }
}

async function setUp({ test = false } = {}) {
  checkNode();
  const release = await lock();
  try {
    await installPackages();
    await build();
    if (test) await prepareTests();
  } finally {
    line.end();
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
