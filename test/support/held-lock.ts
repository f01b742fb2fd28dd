/** Locks of flock(2) that another process has, at work or stopped. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { temporaryDirectory } from "./temporary.ts";
import { until } from "./until.ts";

const holders: ChildProcess[] = [];

/** Locks a file or folder. @returns the process that has the lock, until `releaseLocks` or its end */
export async function holdLock(name: string, kind: "-x" | "-s" = "-x"): Promise<ChildProcess> {
  const ready = path.join(temporaryDirectory(), "ready");
  const args = [kind, "--no-fork", name, "sh", "-c", `: >"${ready}"; exec sleep 1000`];
  const holder = spawn("flock", args, { stdio: "ignore" });
  holders.push(holder);
  await until(`a lock of ${name}`, () => existsSync(ready));
  return holder;
}

/** The same by a process that is stopped then. */
export async function holdStopped(name: string): Promise<ChildProcess> {
  const holder = await holdLock(name);
  holder.kill("SIGSTOP");
  const state = () => readFileSync(`/proc/${holder.pid}/stat`, "latin1");
  await until("a process that is stopped", () => /\) T/.test(state()), state);
  return holder;
}

export function releaseLocks(): void {
  for (const holder of holders.splice(0)) holder.kill("SIGKILL");
}
