// What it costs to start a container image, and to make a file of one.
//
//   BENCH_OCI_PAIRS=N    pairs of starts (60)
//   BENCH_OCI_ROUNDS=N   rounds of memory and of pull and build (3)
//   BENCH_OCI_MB=N       uncompressed bytes of the image that is pulled, in 10^6 (500)
//
// Starts run `true` in a Debian by debootstrap: ours from a bundle, the others in the folder that it was made of. As root
// against podman and crun, which is what those need least for; as a user against bwrap. The image that
// is pulled has layers of files of this machine, on a registry (docker-registry) on this machine. As root.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { builtPackage } from "../build/dist.mjs";
import { root, run } from "../build/toolchain.mjs";
import { debianRoot } from "../debian.mjs";
import { kib, processesOf, read } from "./memory.mjs";
import { compileStatic, median, ms, ownUid, timePairs } from "./pairs.mjs";

const pairs = Number(process.env.BENCH_OCI_PAIRS ?? 60);
const rounds = Number(process.env.BENCH_OCI_ROUNDS ?? 3);
const megabytes = Number(process.env.BENCH_OCI_MB ?? 500);
const concurrent = 20;
const user = 1000;

/** @typedef {import("./pairs.mjs").Row} Row */
/** @typedef {{dir: string, tree: string, pair: string, bundle: string}} Place */

/** @param {string} what @param {string} who @param {{first: number, second: number}} times @param {number} limit @returns {Row} */
function row(what, who, { first, second }, limit) {
  return {
    what: `${what}: ours / ${who}`,
    measured: `${ms(second)} / ${ms(first)} = ${(second / first).toFixed(3)}×`,
    wanted: limit === Infinity ? "report" : `≤ ${limit}×`,
    met: second / first <= limit,
  };
}

/** pair.c looks nowhere. */
const programPath = (/** @type {string} */ name) =>
  execFileSync("sh", ["-c", 'command -v "$0"', name], { encoding: "utf8" }).trim();

/**
 * podman and crun want a machine with cgroups of version 2 alone, so `pair` runs where there are no others; and limits that a
 * sandbox may not raise are podman's default.
 */
function inOneHierarchy(/** @type {Place} */ { dir, pair }) {
  const script = path.join(dir, "pair.sh");
  const lines = [
    "#!/bin/sh",
    "umount -R /sys/fs/cgroup 2>/dev/null",
    "mount -t cgroup2 none /sys/fs/cgroup",
    `exec "${pair}" "$@"`,
  ];
  writeFileSync(`${script}.inner`, `${lines.join("\n")}\n`, { mode: 0o755 });
  writeFileSync(script, `#!/bin/sh\nexec unshare -m "${script}.inner" "$@"\n`, { mode: 0o755 });
  return script;
}

function podman(/** @type {Place} */ { dir, tree }) {
  const store = ["root", "runroot", "tmpdir"].flatMap((name) => [
    `--${name}`,
    path.join(dir, "podman", name),
  ]);
  const engine = ["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend"];
  const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"];
  const given = ["--cgroups=disabled", "--network=host", ...limits, "--rootfs", tree];
  return [programPath("podman"), ...store, ...engine, "none", "run", "--rm", ...given, "/bin/true"];
}

/** A config.json as `crun spec` makes it, for `true`. */
async function crun(/** @type {Place} */ { dir, tree }) {
  const bundle = path.join(dir, "crun");
  mkdirSync(bundle);
  await run("crun", ["spec"], { cwd: bundle });
  const file = path.join(bundle, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  config.root = { path: tree, readonly: true };
  config.process = { ...config.process, terminal: false, args: ["/bin/true"] };
  delete config.process.rlimits;
  writeFileSync(file, JSON.stringify(config));
  return [programPath("crun"), "--cgroup-manager=disabled", "run", "-b", bundle, "bench"];
}

/** @returns {Promise<Row[]>} */
async function starts(/** @type {Place} */ place) {
  const ours = [place.bundle, "/bin/true"];
  const bwrap = [
    programPath("bwrap"),
    "--bind",
    place.tree,
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
  ];
  const peers = [
    { name: "podman run --rm --rootfs", command: podman(place), uid: 0, first: 0.2, later: 0.05 },
    { name: "crun run", command: await crun(place), uid: 0, first: 1, later: 1 },
    { name: "bwrap", command: [...bwrap, "/bin/true"], uid: user, first: Infinity, later: 1 },
  ];
  const rows = [];
  for (const { name, command, uid, ...limits } of peers) {
    const pair = uid === 0 ? inOneHierarchy(place) : place.pair;
    const home = path.join(place.dir, `home-${uid}`);
    mkdirSync(home, { recursive: true });
    chownSync(home, uid, uid);
    for (const [which, linger] of /** @type {const} */ ([
      ["first", "0"],
      ["later", "5"],
    ])) {
      const env = { ...process.env, HOME: home, FUSELAGE_LINGER: linger };
      const job = { first: command, second: ours, uid, env, pairs, warmUp: 3 };
      const times = await timePairs(pair, job);
      const who = uid === 0 ? "as root" : "as a user";
      rows.push(row(`${which} start of true in a Debian, ${who}`, name, times, limits[which]));
    }
  }
  return rows;
}

/**
 * MiB that many starts take at once: what processes that were not there before have by share, and the pages of files.
 *
 * @param {string[]} command
 * @param {string[]} files
 * @param {NodeJS.ProcessEnv} env
 */
async function memoryOf(command, files, env) {
  spawnSync("sync");
  writeFileSync("/proc/sys/vm/drop_caches", "3");
  const before = kib(read("/proc/meminfo"), "Cached");
  const [program, ...args] = [...command, "/bin/sh", "-c", "echo up; read line"];
  const children = Array.from({ length: concurrent }, () =>
    spawn(program, args, { env, uid: user, gid: user, stdio: ["pipe", "pipe", "inherit"] }),
  );
  const ends = children.map((child) => new Promise((resolve) => child.on("close", resolve)));
  await Promise.all(
    children.map((child) => new Promise((resolve) => child.stdout.once("data", resolve))),
  );
  const cached = kib(read("/proc/meminfo"), "Cached") - before;
  const pids = new Set(children.flatMap(({ pid }) => withChildren(`${pid}`)));
  for (const pid of processesOf(files)) pids.add(pid);
  const own = [...pids].map((pid) => kib(read(`/proc/${pid}/smaps_rollup`), "Pss"));
  for (const child of children) child.stdin.end("\n");
  await Promise.all(ends);
  return (own.reduce((sum, size) => sum + size, 0) + cached) / 1024;
}

/** bwrap stays, with the program as its child. @returns {string[]} */
function withChildren(/** @type {string} */ pid) {
  const children = read(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean);
  return [pid, ...children.flatMap(withChildren)];
}

/** @returns {Promise<Row>} */
async function memory(/** @type {Place} */ { dir, tree, bundle }) {
  const home = path.join(dir, `home-${user}`);
  const env = { ...process.env, HOME: home, FUSELAGE_LINGER: "1" };
  const bwrap = [programPath("bwrap"), "--bind", tree, "/", "--dev", "/dev", "--proc", "/proc"];
  /** @type {{ours: number[], peer: number[]}} */
  const seen = { ours: [], peer: [] };
  for (let round = 0; round < rounds; round++) {
    seen.peer.push(await memoryOf(bwrap, [], env));
    seen.ours.push(await memoryOf([bundle], [bundle], env));
    while (processesOf([bundle]).length > 0) await sleep(50);
  }
  const [ours, peer] = [median(seen.ours), median(seen.peer)];
  return {
    what: `${concurrent} shells in a Debian at once, memory of all, PSS and page cache: ours / bwrap`,
    measured: `${ours.toFixed(0)} MiB / ${peer.toFixed(0)} MiB = ${(ours / peer).toFixed(2)}×`,
    wanted: "≤ 1.2×",
    met: ours / peer <= 1.2,
  };
}

/** Files of this machine of so many bytes, as folders for layers. @returns {string[][]} lists of files */
function layersOf(/** @type {number} */ bytes) {
  const lists = [];
  for (const folder of ["/usr/lib", "/usr/share", "/usr/bin", path.join(root, "node_modules")]) {
    /** @type {string[]} */
    const list = [];
    let left = bytes / 4;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || left <= 0) continue;
      const file = path.join(entry.parentPath, entry.name);
      left -= statSync(file).size;
      list.push(file);
    }
    lists.push(list);
  }
  return lists;
}

/** An image with these layers, gzip, in a layout. */
async function makeImage(/** @type {string} */ dir) {
  const layout = path.join(dir, "layout");
  await run("umoci", ["init", "--layout", layout]);
  await run("umoci", ["new", "--image", `${layout}:bench`]);
  for (const [i, files] of layersOf(megabytes * 1e6).entries()) {
    const list = path.join(dir, `list-${i}`);
    const layer = path.join(dir, `layer-${i}.tar`);
    writeFileSync(list, files.map((file) => `${file.slice(1)}\0`).join(""));
    const from = ["-C", "/", "--null", "--no-recursion", "-T", list];
    await run("tar", ["-cf", layer, ...from]);
    await run("umoci", ["raw", "add-layer", "--image", `${layout}:bench`, layer]);
    rmSync(layer);
  }
  return layout;
}

/** A registry; what it says of its port comes with its log. */
async function startRegistry(/** @type {string} */ dir) {
  const config = path.join(dir, "registry.yml");
  const storage = { filesystem: { rootdirectory: path.join(dir, "registry") } };
  const http = { addr: "127.0.0.1:0", secret: "bench" };
  writeFileSync(config, JSON.stringify({ version: 0.1, log: { level: "info" }, storage, http }));
  const child = spawn("docker-registry", ["serve", config], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  /** @type {string} */
  const port = await new Promise((resolve, reject) => {
    let text = "";
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      text = text.length < 1e5 ? text + chunk : text;
      const [, found] = /listening on 127\.0\.0\.1:(\d+)/.exec(text) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", () => reject(new Error(`docker-registry: ${text}`)));
  });
  return { host: `localhost:${port}`, stop: () => child.kill("SIGKILL") };
}

const seconds = (/** @type {number} */ value) => `${value.toFixed(1)} s`;

async function timed(/** @type {() => Promise<void>} */ work) {
  spawnSync("sync");
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** @returns {Promise<Row>} */
async function pullAndBuild(/** @type {string} */ dir) {
  const layout = await makeImage(dir);
  const registry = await startRegistry(dir);
  const image = `docker://${registry.host}/bench:1`;
  const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
  const codec = ["-comp", "zstd", "-Xcompression-level", "15", "-b", "131072"];
  /** @type {{ours: number[], peer: number[]}} */
  const seen = { ours: [], peer: [] };
  try {
    await run("skopeo", ["copy", ...plain, `oci:${layout}:bench`, image]);
    for (let round = 0; round < rounds; round++) {
      const place = path.join(dir, "round");
      mkdirSync(place);
      const [pulled, unpacked, packed, ours] = ["pulled", "unpacked", "peer.sfs", "ours.run"].map(
        (name) => path.join(place, name),
      );
      seen.peer.push(
        await timed(async () => {
          await run("skopeo", ["copy", ...plain, image, `oci:${pulled}:bench`]);
          await run("umoci", ["unpack", "--image", `${pulled}:bench`, unpacked]);
          const flags = ["-quiet", "-no-progress", "-noappend"];
          await run("mksquashfs", [path.join(unpacked, "rootfs"), packed, ...codec, ...flags]);
        }),
      );
      // Nothing of a build before: neither blobs nor compressed blocks.
      const main = path.join(root, "dist/cli/main.js");
      const env = { ...process.env, XDG_CACHE_HOME: path.join(place, "cache") };
      seen.ours.push(
        await timed(async () => {
          await run(process.execPath, [main, "build", image, "-o", ours], { env });
        }),
      );
      rmSync(place, { recursive: true });
    }
  } finally {
    registry.stop();
  }
  const [ours, peer] = [median(seen.ours), median(seen.peer)];
  return {
    what: `pull and build an image of ${megabytes} MB: ours / skopeo copy, umoci unpack and mksquashfs`,
    measured: `${seconds(ours)} / ${seconds(peer)} = ${(ours / peer).toFixed(2)}×`,
    wanted: "≤ 0.7×",
    met: ours / peer <= 0.7,
  };
}

/** @returns {Promise<Row[]>} */
export async function bench() {
  if (ownUid !== 0) return []; // podman, crun, cgroups and dropping caches
  const { build } = await builtPackage();
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-bench-"));
  chmodSync(dir, 0o755);
  try {
    const place = {
      dir,
      tree: debianRoot("bookworm"),
      pair: path.join(dir, "pair"),
      bundle: path.join(dir, "debian.run"),
    };
    await compileStatic("scripts/bench/pair.c", place.pair);
    await build({ input: place.tree, output: place.bundle, kind: "image" });
    const rows = await starts(place);
    rows.push(await memory(place), await pullAndBuild(dir));
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
