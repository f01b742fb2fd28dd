/** Runs commands, as whoever tests or as an ordinary user. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { hostArchitecture } from "../../builder/host/paths.ts";

export const root = path.resolve(import.meta.dirname, "../..");

export const isRoot = process.getuid?.() === 0;

export interface Outcome {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  /** Added to the environment of the tests; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  input?: string;
  uid?: number;
  gid?: number;
  /** Milliseconds; then the process gets SIGKILL, because it hangs. Default two minutes. */
  timeout?: number;
}

/** Who `asUser` runs commands as: uid 1000 when the tests run as root, else the tests' own user. */
export function ordinaryUser(): { uid: number; gid: number } {
  if (isRoot) return { uid: 1000, gid: 1000 };
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

/**
 * Whether a process has ended. One that nobody has waited for has, too: process 1, which gets what others leave, may
 * take its time.
 */
export function hasEnded(pid: number | string): boolean {
  try {
    return /\) Z \d/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return true;
  }
}

/** Runs a command to its end. Never rejects for what the command does. */
export function run(command: string, args: readonly string[], options: RunOptions = {}) {
  const { cwd, env, input, uid, gid, timeout = 120_000 } = options;
  return new Promise<Outcome>((resolve, reject) => {
    const child = spawn(command, args, {
      ...(cwd !== undefined && { cwd }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      env: { ...process.env, ...env },
      stdio: "pipe",
      timeout,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr }));
    child.stdin.on("error", () => {}); // It may end without reading.
    child.stdin.end(input ?? "");
  });
}

/** Runs a command as uid and gid 1000 without other groups; `home` should be a `userDirectory`. */
export function asUser(
  command: string,
  args: readonly string[],
  home: string,
  options: RunOptions = {},
): Promise<Outcome> {
  const env = { HOME: home, ...options.env };
  return run(command, args, { ...options, env, ...(isRoot ? ordinaryUser() : {}) });
}

/** Sends `signal` to a process that was listed as running and may have ended since; false if it has. */
export function signalListed(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ESRCH") throw cause;
    return false;
  }
}

/** Arguments for `process.execPath` that run `bundle` from its sources' build. */
export const bundleCommand = path.join(root, "dist/cli/main.js");

/** The same for `fuselage-bundle`. */
export const aliasCommand = path.join(root, "dist/cli/fuselage-bundle.js");

/** The runner, for this machine. */
export const fuselage = path.join(root, "dist/runtime", hostArchitecture() ?? "", "fuselage");

/**
 * Without the lines in which a build names what takes it two seconds (builder/cli/progress.ts): anything does when
 * others have the processors.
 */
export const withoutNotices = ({ stderr, ...outcome }: Outcome): Outcome => ({
  ...outcome,
  stderr: stderr.replace(/^bundle: .* \.\.\.\n/gm, ""),
});

/** Runs `bundle`; its notices are left out. */
export async function bundle(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return withoutNotices(await run(process.execPath, [bundleCommand, ...args], options));
}
