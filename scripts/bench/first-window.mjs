// How long until a program with windows, as an AppImage with xz, shows its first one: run by `fuselage`,
// and by the runtime that the same file begins with, in turn, and by nobody, from the folder that was packed.
//
// Xvfb is the screen, and xev says when a window appears on it. Both run as an ordinary user, and every
// start mounts anew.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../build/toolchain.mjs";
import { median, ms, ownUid } from "./pairs.mjs";

/** Between two starts, so that nobody's clean-up counts against the other, ms. */
const PAUSE = 500;
/** A window that has not appeared after this never will, ms. */
const PATIENCE = 60_000;
/** What a program has to end when it is asked to, ms. */
const GRACE = 10_000;

/**
 * Programs of Debian's packages of these names: one by itself, and one with a folder of its own, as those of
 * Electron have.
 * @type {Record<string, {file: string, args: string[]}>}
 */
const programs = {
  galculator: { file: "/usr/bin/galculator", args: [] },
  chromium: { file: "/usr/lib/chromium/chromium", args: ["--no-sandbox", "--no-first-run"] },
};

/** All that can be measured. */
export const windowPrograms = Object.keys(programs);

/** What every system with a screen has itself, and no AppImage holds. */
const HOSTS =
  /^(ld-linux|lib(c|m|dl|pthread|rt|resolv|util|nsl|X11|xcb|GL|EGL|drm|gbm|stdc\+\+|gcc_s))[-.]/;

const appRun = (/** @type {string} */ program) => `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$here/usr/lib" XDG_DATA_DIRS="$here/usr/share:/usr/share" GSETTINGS_BACKEND=memory
exec "$here${program}" "$@"
`;

/** An AppDir of a program of the system with its libraries and what its packages put beside it. */
async function makeAppDir(/** @type {string} */ program, /** @type {string} */ dir) {
  for (const name of ["usr/bin", "usr/lib", "usr/share"])
    mkdirSync(path.join(dir, name), { recursive: true });
  const file = programs[program]?.file ?? "";
  const folder = path.dirname(file);
  if (folder === "/usr/bin") copyFileSync(file, path.join(dir, file));
  else cpSync(folder, path.join(dir, folder), { recursive: true });
  for (const [, library] of (await run("ldd", [file])).matchAll(/=> (\/\S+)/g)) {
    const name = path.basename(library);
    if (!HOSTS.test(name)) copyFileSync(library, path.join(dir, "usr/lib", name));
  }
  for (const listed of (await run("dpkg", ["-L", program])).split("\n")) {
    if (!listed.startsWith("/usr/share/")) continue;
    // What a package lists may have been left out when it was installed, or removed since.
    if (!statSync(listed, { throwIfNoEntry: false })?.isFile()) continue;
    mkdirSync(path.join(dir, path.dirname(listed)), { recursive: true });
    copyFileSync(listed, path.join(dir, listed));
  }
  writeFileSync(path.join(dir, "AppRun"), appRun(file), { mode: 0o755 });
}

/** A screen of its own. @returns what DISPLAY is, and what ends it */
async function openScreen() {
  const server = spawn("Xvfb", ["-displayfd", "3", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const answer = /** @type {import("node:stream").Readable} */ (server.stdio[3]);
  const ended = once(server, "close");
  const number = await Promise.race([
    once(answer, "data").then(([data]) => data),
    ended.then(([status]) => {
      throw new Error(`Xvfb ended with status ${status}`);
    }),
  ]);
  return { display: `:${`${number}`.trim()}`, close: () => server.kill() };
}

/**
 * Starts a command and waits for its window.
 *
 * @param {string[]} command
 * @param {{env: NodeJS.ProcessEnv, appeared: import("node:events").EventEmitter, who: {uid?: number, gid?: number}}} at
 * @returns {Promise<number>} ms
 */
async function timeWindow([program = "", ...args], { env, appeared, who }) {
  const signal = AbortSignal.timeout(PATIENCE);
  const seen = once(appeared, "window", { signal });
  const started = performance.now();
  const child = spawn(program, args, { env, stdio: "ignore", detached: true, ...who });
  const ended = once(child, "close");
  let time = 0;
  try {
    await Promise.race([
      seen,
      ended.then(([status]) => {
        throw new Error(`${program} ended with status ${status} before it had a window`);
      }),
    ]);
    time = performance.now() - started;
  } finally {
    endGroup(child.pid, "SIGTERM");
    const hasEnded = await Promise.race([
      ended.then(() => true),
      sleep(GRACE, false, { ref: false }),
    ]).catch(() => true);
    if (!hasEnded) endGroup(child.pid, "SIGKILL");
  }
  await sleep(PAUSE);
  return time;
}

/** Ends a process with all that it started. */
function endGroup(/** @type {number | undefined} */ pid, /** @type {NodeJS.Signals} */ signal) {
  if (pid === undefined) return; // it was never started
  try {
    process.kill(-pid, signal);
  } catch {
    // All of them have ended.
  }
}

/**
 * @param {{program: string, dir: string, own: string, runtime: string, home: string, pairs: number}} job `own` and
 *   `runtime`: our runner and the other runtime
 * @returns {Promise<{ratio: number, detail: string}>}
 */
export async function firstWindow({ program, dir, own, runtime, home, pairs }) {
  const app = path.join(dir, `${program}.AppDir`);
  await makeAppDir(program, app);
  const image = path.join(dir, `${program}.sfs`);
  await run("mksquashfs", [app, image, "-comp", "xz", "-quiet", "-no-progress", "-all-root"]);
  const file = path.join(dir, `${program}.AppImage`);
  writeFileSync(file, Buffer.concat([readFileSync(runtime), readFileSync(image)]), { mode: 0o755 });
  const screen = await openScreen();
  const env = { ...process.env, HOME: home, TMPDIR: home, DISPLAY: screen.display };
  /** @type {import("node:child_process").ChildProcess | undefined} */
  let xev;
  try {
    xev = spawn("xev", ["-root", "-event", "substructure"], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(xev, "spawn");
    const appeared = createInterface({ input: /** @type {any} */ (xev.stdout) });
    appeared.on("line", (line) => {
      if (line.startsWith("MapNotify event")) appeared.emit("window");
    });
    const who = ownUid === 0 ? { uid: 1000, gid: 1000 } : {};
    const at = { env, appeared, who };
    const args = programs[program]?.args ?? [];
    const theirs = [file, ...args];
    const ours = [own, "--static", `app:${file}`, "--run", "app/AppRun", ...args];
    const folder = [path.join(app, "AppRun"), ...args];
    const commands = [theirs, ours, folder];
    const times = commands.map(() => /** @type {number[]} */ ([]));
    // The first of each fills the page cache and the caches of fonts.
    for (let i = 0; i <= pairs; i++) {
      for (const [n, command] of commands.entries()) {
        const time = await timeWindow(command, at);
        if (i > 0) times[n]?.push(time);
      }
    }
    const [other, mine, unpacked] = times.map(median);
    const inMB = `${(statSync(image).size / 1e6).toFixed(1)} MB with xz`;
    const detail = `${ms(mine)} against ${ms(other)}, ${ms(unpacked)} of the folder, ${inMB}`;
    return { ratio: mine / other, detail };
  } finally {
    xev?.kill();
    screen.close();
  }
}

/** Why it cannot be measured for a program, or undefined. */
export function missingForWindow(/** @type {string} */ program) {
  if (!existsSync(programs[program]?.file ?? "")) {
    return `it is not installed (Debian: ${program})`;
  }
  for (const [tool, from] of [
    ["Xvfb", "xvfb"],
    ["xev", "x11-utils"],
  ]) {
    try {
      execFileSync("sh", ["-c", 'command -v "$0"', tool], { stdio: "ignore" });
    } catch {
      return `${tool} is not installed (Debian: ${from})`;
    }
  }
  return undefined;
}
