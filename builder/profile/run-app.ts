/** Runs an app for as long as its start takes, and ends it. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithProcess } from "../host/command.ts";

/** When a start is over. */
export type Until = { seconds: number } | { text: string } | "idle";

export interface AppCommand {
  program: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  until: Until;
  signal?: AbortSignal | undefined;
  /** Told once, when the app has come to rest before it printed the text of `until`. */
  onRest?: (() => void) | undefined;
}

export interface AppRun {
  /** What ended the start; "limit": it never came to rest. */
  by: "itself" | "until" | "idle" | "limit";
  /** Until then, milliseconds. */
  milliseconds: number;
  /** Of an app that ended by itself; null after a signal. */
  status: number | null;
  signal: NodeJS.Signals | null;
}

/** An app rests when its processes have worked for no more than WORK ms in so many ms. */
export const IDLE = 2000;
const WORK = 40;
/** How often that is looked at, ms. */
const LOOK = 200;
/** An app that never rests is ended after so many ms. */
const LIMIT = 60_000;
/** From SIGTERM to SIGKILL, ms. */
const GRACE = 5000;
/** How long the last output of an app that has ended is waited for, ms. */
const DRAIN = 500;
/** Milliseconds of a tick in /proc/PID/stat: USER_HZ is 100 on every machine that we know. */
const TICK = 10;

/**
 * Runs the app in a session of its own, so that all its processes can be ended with it. Its input and output
 * are those of this process.
 *
 * @throws what the system says when it cannot be started; the reason of an aborted signal
 */
export async function runApp(command: AppCommand): Promise<AppRun> {
  const { program, args, env, until, signal, onRest } = command;
  signal?.throwIfAborted();
  const started = performance.now();
  const watches = typeof until === "object" && "text" in until;
  const output = watches ? "pipe" : "inherit";
  const child = spawn(program, args, { env, detached: true, stdio: ["inherit", output, output] });
  const ended = new Promise<AppRun["by"]>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", () => resolve("itself"));
  });
  // What it printed last, unless somebody who outlives it holds the pipe.
  const drained = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const stop = new AbortController();
  const forget = endWithProcess(() => {
    // What a terminal's Ctrl-C ends is over at once, and leaves nothing that still runs.
    endGroup(child, "SIGKILL");
  });
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { signal: stop.signal });
  });
  aborted.catch(() => {});
  try {
    if (watches) rest(child, stop.signal).then(onRest, () => {});
    const by = await Promise.race([ended, aborted, over(child, until, stop.signal)]);
    const milliseconds = performance.now() - started;
    const { exitCode, signalCode } = child;
    await endApp(child, aborted);
    await Promise.race([drained, sleep(DRAIN, undefined, { ref: false })]);
    const self = by === "itself";
    return {
      by,
      milliseconds,
      status: self ? exitCode : null,
      signal: self ? signalCode : null,
    };
  } finally {
    stop.abort();
    endGroup(child, "SIGKILL");
    forget();
  }
}

/** Resolves when the start is over, by what was asked for. */
async function over(child: ChildProcess, until: Until, signal: AbortSignal): Promise<AppRun["by"]> {
  const never = new Promise<never>(() => {});
  try {
    if (until === "idle") return await rest(child, signal);
    if ("text" in until) await appears(child, Buffer.from(until.text));
    else await sleep(until.seconds * 1000, undefined, { signal });
    return "until";
  } catch (cause) {
    // It ended meanwhile, and nobody waits any more.
    if (signal.aborted) return never;
    throw cause;
  }
}

/** Passes on what the app prints, until a text is in it. */
function appears({ stdout, stderr }: ChildProcess, text: Buffer): Promise<void> {
  return new Promise((resolve) => {
    for (const [from, to] of [
      [stdout, process.stdout],
      [stderr, process.stderr],
    ] as const) {
      let tail = Buffer.alloc(0);
      from?.on("data", (part: Buffer) => {
        to.write(part);
        const seen = Buffer.concat([tail, part]);
        if (seen.includes(text)) resolve();
        tail = seen.subarray(Math.max(0, seen.length - text.length + 1));
      });
    }
  });
}

async function rest({ pid = 0 }: ChildProcess, signal: AbortSignal): Promise<"idle" | "limit"> {
  const began = performance.now();
  let [work, since] = [-Infinity, began];
  for (;;) {
    await sleep(LOOK, undefined, { signal });
    const now = performance.now();
    const worked = workOf(pid);
    if (worked - work > WORK) [work, since] = [worked, now];
    if (now - since >= IDLE) return "idle";
    if (now - began >= LIMIT) return "limit";
  }
}

/** Processor time of all processes of a session, ms. */
function workOf(session: number): number {
  let ticks = 0;
  for (const name of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    const fields = statOf(name);
    if (Number(fields[SESSION]) === session) ticks += Number(fields[UTIME]) + Number(fields[STIME]);
  }
  return ticks * TICK;
}

/** Fields behind the name, which may hold anything: proc(5), from the state on. */
const [SESSION, UTIME, STIME] = [3, 11, 12];

function statOf(pid: string): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return []; // It has ended meanwhile.
  }
}

/** Politely, then not: a background process would keep the image mounted. */
async function endApp(child: ChildProcess, aborted: Promise<never>): Promise<void> {
  endGroup(child, "SIGTERM");
  const patience = performance.now() + GRACE;
  while (endGroup(child, 0) && performance.now() < patience) {
    await Promise.race([sleep(20), aborted]);
  }
  endGroup(child, "SIGKILL");
}

/** @returns whether there was anybody */
function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}
