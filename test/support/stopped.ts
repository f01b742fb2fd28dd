/** Programs that are stopped behind a system call, so that another process can do something between two steps. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { type Outcome, type RunOptions, signalListed } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";
import { until } from "./until.ts";

export interface Stopped {
  /** Of the process that is stopped. */
  pid: number;
  /** Lets it go on. @returns what becomes of it */
  goOn: () => Promise<Outcome>;
}

/**
 * Starts a program that stops when the kernel has carried out a call.
 *
 * @param call its name, or `/` and a regular expression: machines have different ones
 * @param at the file or folder that the call is about, as a name or an open descriptor; without it any
 * @param options.when which of such calls; without it the first
 */
export async function stopBehind(
  call: string,
  at: string | undefined,
  command: readonly string[],
  options: Pick<RunOptions, "env" | "uid" | "gid"> & { when?: number } = {},
): Promise<Stopped> {
  const log = path.join(temporaryDirectory(), "trace");
  const about = at === undefined ? [] : ["-P", at];
  const inject = [
    "-e",
    `trace=${call}`,
    "-e",
    `inject=${call}:signal=SIGSTOP:when=${options.when ?? 1}`,
  ];
  // The tracer stays root: of another's child the kernel would ignore that a helper is set-id.
  const { uid, gid, env } = options;
  const who = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const traced = [...(uid === undefined ? [] : who), ...command];
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(
    "strace",
    ["-qq", "-o", log, ...about, ...inject, ...traced],
    { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const outcome: Outcome = { status: null, signal: null, stdout: "", stderr: "" };
  child.stdout.on("data", (part) => (outcome.stdout += part));
  child.stderr.on("data", (part) => (outcome.stderr += part));
  const ended = new Promise<Outcome>((resolve) =>
    child.once("close", (status, signal) => {
      const stderr = outcome.stderr.replace(/^strace: Requested path .*\n/gm, "");
      resolve({ ...outcome, stderr, status, signal });
    }),
  );
  const trace = () => {
    try {
      return readFileSync(log, "utf8");
    } catch {
      return "";
    }
  };
  const stops = () => trace().match(/^--- stopped by SIGSTOP ---$/gm)?.length ?? 0;
  await until(
    `a process that is stopped behind ${call}`,
    () => stops() > 0,
    () => `${trace()}${outcome.stdout}${outcome.stderr}`,
  );
  const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
  onTestFinished(() => void signalListed(pid, "SIGCONT"));
  return {
    pid,
    async goOn() {
      // strace counts calls of other names by themselves.
      for (let seen = 0; child.exitCode === null && child.signalCode === null; await sleep(10)) {
        for (; seen < stops(); seen++) signalListed(pid, "SIGCONT");
      }
      return ended;
    },
  };
}
