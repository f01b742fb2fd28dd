/** The runner, and the three ways in which it is started. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, type TestFunction } from "vitest";
import { mksquashfs, printed, runtimeFile } from "./bundle-of.ts";
import { type Files, writeFiles } from "./case.ts";
import { type Leftovers, leftovers, leftSince } from "./leftovers.ts";
import { type Need, skippedFor, skipUnless } from "./needs.ts";
import { asUser, type Outcome, ordinaryUser, type RunOptions, run } from "./process.ts";
import { temporaryDirectory, userDirectory } from "./temporary.ts";

/** One of the three privilege models: who starts the runner, and how it is installed. */
export interface Way {
  title: string;
  /** The caller is root, and so is the command. */
  root: boolean;
  /** The binary is setuid-root, the caller an ordinary user. */
  setuid: boolean;
  needs: Need[];
}

export const asRoot: Way = { title: "as root", root: true, setuid: false, needs: ["root"] };
export const asOrdinary: Way = {
  title: "as a user",
  root: false,
  setuid: false,
  needs: ["userns"],
};
export const setuidRoot: Way = {
  title: "setuid-root, as a user",
  root: false,
  setuid: true,
  needs: ["root"],
};
export const ways: Way[] = [asRoot, asOrdinary, setuidRoot];

/** The options of the mount below which `dir` is. */
function mountOptions(dir: string): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  const above = mounts.filter(([, , , , at = ""]) => at === "/" || `${dir}/`.startsWith(`${at}/`));
  const nearest = above.sort((a, b) => (a[4]?.length ?? 0) - (b[4]?.length ?? 0)).at(-1);
  return nearest?.[5]?.split(",") ?? [];
}

/** Why no setuid-root program can be made here, or undefined. */
function setuidRefused(): string | undefined {
  if (mountOptions(os.tmpdir()).includes("nosuid")) return `${os.tmpdir()} is mounted nosuid`;
  if (/^NoNewPrivs:\t1$/m.test(readFileSync("/proc/self/status", "utf8"))) {
    return "no_new_privs is set";
  }
  return undefined;
}

/** `skipUnless` for what this way and the test itself need. */
export function checkOf(way: Way, ...needs: Need[]): (name: string, body: TestFunction) => void {
  const refused = way.setuid ? setuidRefused() : undefined;
  if (refused === undefined) return skipUnless(...way.needs, ...needs);
  return skippedFor(refused);
}

const installed = new Map<boolean, string>();

/** A copy of the runner that everyone may execute, of this test file alone. */
export function runnerOf(way: Way): string {
  const known = installed.get(way.setuid);
  if (known !== undefined) return known;
  const file = path.join(temporaryDirectory(), "fuselage");
  copyFileSync(runtimeFile, file);
  chmodSync(file, way.setuid ? 0o4755 : 0o755);
  installed.set(way.setuid, file);
  return file;
}

/** A new home of the caller's. */
export function homeOf(way: Way): string {
  return way.root ? temporaryDirectory() : userDirectory();
}

/** Variables of whoever runs the tests that would change what a start does. */
const unset = { FUSELAGE_HOME: undefined, FUSELAGE_MOUNT: undefined, FUSELAGE_DEBUG: undefined };

/** Starts the runner in this way and waits for its end. */
export function start(
  way: Way,
  args: readonly string[],
  home = homeOf(way),
  options: RunOptions = {},
): Promise<Outcome> {
  const env = { ...unset, HOME: home, ...options.env };
  const file = runnerOf(way);
  if (way.root) return run(file, args, { ...options, env });
  return asUser(file, args, home, { ...options, env });
}

/** What a successful start prints. */
export async function ask(
  way: Way,
  args: readonly string[],
  home?: string,
  options?: RunOptions,
): Promise<string> {
  return printed(await start(way, args, home, options));
}

/** A refusal: its exit status, its code and all it said. */
export async function refused(
  way: Way,
  args: readonly string[],
  home?: string,
  options?: RunOptions,
): Promise<{ status: number | null; code: string; stdout: string; stderr: string }> {
  const { status, signal, stdout, stderr } = await start(way, args, home, options);
  if (signal !== null) throw new Error(`ended by ${signal}: ${stderr}`);
  return { status, stdout, stderr, code: /^fuselage: \[(\w+)\]/.exec(stderr)?.[1] ?? "" };
}

/** A start that goes on until `child.stdin` ends; its command has printed a line. */
export async function hold(
  way: Way,
  args: readonly string[],
  script: string,
  home: string,
): Promise<{ child: ChildProcess; said: string; end: () => Promise<void> }> {
  const child = spawn(runnerOf(way), [...args, "sh", "-c", `${script}; read line`], {
    env: { PATH: process.env["PATH"], FUSELAGE_LINGER: "0", HOME: home },
    ...(way.root ? {} : ordinaryUser()),
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [chunk] = (await once(child.stdout, "data")) as [Buffer];
  const ended = once(child, "close");
  const end = async () => {
    child.stdin.end();
    await ended;
  };
  return { child, said: chunk.toString(), end };
}

/** Files that most tests look for. */
export const sample: Files = {
  file: "packed\n",
  "bin/say": "#!/bin/sh\nprintf '<%s>' \"$@\"\n",
  "bin/self": '#!/bin/sh\necho "$0"\n',
  plain: "no program\n",
  link: { link: "bin/say" },
  absolute: { link: "/bin/say" },
  outside: { link: "/bin/sh" },
  climbing: { link: "../../../../../../../../../../../../bin/sh" },
};

/** Packs files by mksquashfs. @returns path of the image, in a folder of its own */
export async function imageOf(files: Files = sample, ...options: string[]): Promise<string> {
  const dir = path.join(temporaryDirectory(), "tree");
  mkdirSync(dir);
  writeFiles(dir, files);
  return mksquashfs(dir, "-all-root", ...options);
}

const fixed: string[] = [];
afterAll(() => {
  for (const dir of fixed.splice(0)) {
    try {
      rmdirSync(dir); // which root made on the host; empty
    } catch {
      // Never made.
    }
  }
});

/** A path below /run/fuselage that no other test uses. */
export function fixedPath(): string {
  const dir = `/run/fuselage/test-${process.pid}-${fixed.length}`;
  fixed.push(dir);
  return dir;
}

/**
 * Watches this test's mounts, devices, processes and procdirs: others run at the same time.
 *
 * @returns what has come since and does not go
 */
export function watch(way: Way, home: string, images: readonly string[] = []) {
  const file = runnerOf(way);
  const watched = { files: [file], homes: [home], own: [file, home, ...images] };
  const before = leftovers(watched);
  return (): Promise<Leftovers> => leftSince(before, watched);
}
