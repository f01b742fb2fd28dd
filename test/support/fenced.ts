/** Starts in a sandbox: the runner with rules, by root and by a user. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Need } from "./needs.ts";
import { isRoot, type Outcome, ordinaryUser, type RunOptions, run } from "./process.ts";
import { compile } from "./process-state.ts";
import { asOrdinary, asRoot, homeOf, runnerOf, type Way } from "./runner.ts";
import { temporaryDirectory } from "./temporary.ts";

/** Who starts: a setuid-root installation gives root up, and is tried by itself. */
export const fencedWays: Way[] = [asOrdinary, asRoot];

/** Variables of whoever runs the tests that would change what a start does. */
const unset = {
  FUSELAGE_HOME: undefined,
  FUSELAGE_MOUNT: undefined,
  FUSELAGE_DEBUG: undefined,
  FUSELAGE_SANDBOX: undefined,
  TMPDIR: undefined,
  XDG_RUNTIME_DIR: undefined,
  DISPLAY: undefined,
};

/**
 * Runs a command as one of them. Root's is in a mount namespace of its own: should a sandbox not hold, what is tried
 * in it happens there, and no folder of a test ever has the machine's files below it.
 */
export function startAs(
  way: Way,
  command: readonly string[],
  home: string,
  options: RunOptions = {},
): Promise<Outcome> {
  const env = { ...unset, HOME: home, ...options.env };
  const [program = "", ...args] = way.root ? ["unshare", "--mount", ...command] : command;
  return run(program, args, { ...options, ...(way.root || !isRoot ? {} : ordinaryUser()), env });
}

/** The runner with these rules (`--sandbox=RULES`; "" is `--sandbox`), options and a command. */
export function fenced(
  way: Way,
  rules: string,
  command: readonly string[],
  home = homeOf(way),
  options: RunOptions = {},
): Promise<Outcome> {
  const sandbox = rules === "" ? "--sandbox" : `--sandbox=${rules}`;
  return startAs(way, [runnerOf(way), sandbox, ...command], home, options);
}

/** A script of the host's shell in a sandbox. */
export const fencedShell = (
  way: Way,
  rules: string,
  script: string,
  home?: string,
  options?: RunOptions,
) => fenced(way, rules, ["sh", "-c", script], home, options);

/** Folders for attempts to escape: a home with a secret, one to write to, and one with programs. */
export interface Prison {
  home: string;
  secret: string;
  work: string;
  programs: string;
}

let built: string | undefined;

/** Static: whatever libraries a rule hides, the program runs. */
export const escapesProgram = () => (built ??= compile("support/escapes.c", "-static"));

/** Files of the tests' become theirs who start. */
export function give(way: Way, ...files: string[]): void {
  const { uid, gid } = ordinaryUser();
  if (!way.root && isRoot) for (const file of files) chownSync(file, uid, gid);
}

export function prison(way: Way): Prison {
  const home = homeOf(way);
  const [work, programs] = [temporaryDirectory(), temporaryDirectory()];
  const secret = path.join(home, "secret");
  mkdirSync(path.join(home, "sub"));
  writeFileSync(secret, "nobody's business\n");
  give(way, secret, path.join(home, "sub"), work);
  copyFileSync(escapesProgram(), path.join(programs, "escapes"));
  copyFileSync(escapesProgram(), path.join(programs, "set-id"));
  chmodSync(path.join(programs, "escapes"), 0o755);
  chmodSync(path.join(programs, "set-id"), 0o4755);
  return { home, secret, work, programs };
}

/** Another process of the same user, which listens. */
export interface Victim {
  child: ChildProcess;
  env: Record<string, string>;
  end: () => Promise<void>;
}

export async function victimOf(way: Way, { home, programs }: Prison): Promise<Victim> {
  const socket = path.join(home, "socket");
  const shm = `/dev/shm/fuselage-test-${path.basename(home)}`;
  const child = spawn(path.join(programs, "escapes"), ["--victim", socket, shm], {
    ...(way.root || !isRoot ? {} : ordinaryUser()),
    cwd: home,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const ended = once(child, "close");
  const [number = "", terminal = ""] = line.toString().trim().split(" ");
  const env = {
    ESCAPES_SOCKET: socket,
    ESCAPES_SHM: shm,
    ESCAPES_PORT: number,
    ESCAPES_TERMINAL: terminal,
    ESCAPES_SET_ID: path.join(programs, "set-id"),
  };
  const end = async () => {
    child.stdin.end();
    await ended;
  };
  return { child, env, end };
}

/** What came of each attempt: "ok", where it worked, or the name of errno. */
export type Attempts = Record<string, string>;

/**
 * Tries them all, with `command` before the program that tries: a runner and its rules, or nothing.
 *
 * @throws where the program itself could not run
 */
export async function tryEscapes(
  way: Way,
  place: Prison,
  victim: Victim,
  command: readonly string[],
  options: RunOptions = {},
): Promise<Attempts> {
  const program = path.join(place.programs, "escapes");
  const attempt = [program, `${victim.child.pid}`, place.secret, place.work];
  const script = 'exec "$@" 8</etc/hostname 9</';
  const { status, stdout, stderr } = await startAs(
    way,
    ["sh", "-c", script, "sh", ...command, ...attempt],
    place.home,
    { ...options, cwd: path.join(place.home, "sub"), env: { ...victim.env, ...options.env } },
  );
  if (status !== 0) throw new Error(`status ${status}: ${stderr}`);
  return Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split("\t")),
  );
}

/** What these starts need. */
export const fencedNeeds = (way: Way, ...more: Need[]): Need[] => [...way.needs, "gcc", ...more];
