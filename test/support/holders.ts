/** Holders of mounts (runtime/warm), and whoever stands in their place or talks to them. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { leftovers } from "./leftovers.ts";
import { type Outcome, root, run, signalListed } from "./process.ts";
import { until } from "./until.ts";

/** Longer than any test: what lingers is ended by `end`. */
export const LONG = "3000";

export const warm = (linger = LONG) => ({ FUSELAGE_LINGER: linger, FUSELAGE_DEBUG: "1" });

/** Long enough ago for an image that one more change would show in its time. */
export const settled = () => sleep(50);

/** Whether a start took a mount that was kept. It must have succeeded. */
export function isShared({ status, stderr }: Outcome): boolean {
  if (status !== 0) throw new Error(`status ${status}: ${stderr}`);
  return stderr.includes("(shared)");
}

/**
 * A start that should find a mount. It waits for a second to be answered, and mounts by itself where the holder had no turn
 * for so long; that shows nothing, and another one is made.
 */
export async function joining(begin: () => Promise<Outcome>): Promise<Outcome> {
  for (;;) {
    const outcome = await begin();
    const took = Number([...outcome.stderr.matchAll(/ in ([0-9.]+) ms/g)].at(-1)?.[1]);
    if (isShared(outcome) || !(took >= 1000)) return outcome;
  }
}

function comm(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

/** A field of /proc/PID/status; undefined where the process has ended. */
export function statusOf(pid: number, field: string): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return new RegExp(`^${field}:\\s*(.*)$`, "m").exec(status)?.[1];
  } catch {
    return undefined;
  }
}

const left = (of: string) =>
  leftovers({ files: [of] }).processes.filter((line) => line.includes(of));

/** Processes of the runtime that were started from `of`, by their kind. */
export function processesOf(of: string, kind: "fuse" | "holder"): number[] {
  return left(of)
    .map((line) => Number(line.split(" ")[0]))
    .filter((pid) => comm(pid) === `fuselage-${kind}`);
}

const processList = (of: string) => () => left(of).join("\n");

/** Waits until nothing of the runtime is left that was started from `of`. */
export const gone = (of: string): Promise<true> =>
  until(`the end of all of ${of}`, () => left(of).length === 0, processList(of));

/** Ends what lingers of `of`, also a holder that has not taken its name yet. */
export const end = (of: string): Promise<true> =>
  until(
    `the end of all of ${of}`,
    () => {
      for (const pid of processesOf(of, "holder")) signalListed(pid, "SIGTERM");
      return left(of).length === 0;
    },
    processList(of),
  );

/** The one holder, once it has locked itself in; the start did not wait for that. */
export const holderOf = (of: string): Promise<number> =>
  until(
    `a holder of ${of}`,
    () => {
      const [pid, ...more] = processesOf(of, "holder");
      if (more.length > 0) throw new Error(`${more.length + 1} holders of ${of}`);
      return pid !== undefined && statusOf(pid, "Seccomp") === "2" && pid;
    },
    processList(of),
  );

/** The abstract socket at which starts of what lingers meet; only root may look. */
export async function rendezvousOf(of: string): Promise<string> {
  const pid = await holderOf(of);
  const inode = /\d+/.exec(readlinkSync(`/proc/${pid}/fd/0`))?.[0];
  const sockets = readFileSync("/proc/net/unix", "utf8");
  const name = new RegExp(` ${inode} @(fuselage-[0-9a-f]{64})$`, "m").exec(sockets)?.[1];
  if (name === undefined) throw new Error(`no rendezvous of process ${pid}`);
  return name;
}

/** The file in which the sides show who they are. */
export const lockOf = (home: string) => path.join(home, ".fuselage/share.lock");

/** Python itself: what stands in PATH may be a script that looks for it, each time. */
let python: string | undefined;
function pythonFile(): string {
  python ??= execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
    encoding: "utf8",
  }).trim();
  return python;
}

export const peerScript = path.join(root, "test/support/peer.py");

/** Talks to a holder. @returns how many descriptors it gave */
export async function askHolder(uid: number, name: string, ...more: string[]): Promise<number> {
  const args = [peerScript, `${uid}`, "ask", name, ...more];
  const { status, stdout, stderr } = await run(pythonFile(), args);
  // A lock that it wanted and did not get is no test, but where that is what is tested.
  const refused = more[1] === "read-only" ? "no lock: [Errno 9] Bad file descriptor\n" : "";
  if (status !== 0 || stderr !== refused) throw new Error(`${more}: ${stderr}`);
  return Number(stdout);
}

export interface Peer {
  child: ChildProcess;
  /** What the next start has sent: "heard BYTES DESCRIPTORS". */
  heard: () => Promise<string>;
  end: () => Promise<void>;
}

/** Waits for a process that prints lines, first that it listens. */
export async function listening(command: string, args: readonly string[]): Promise<Peer> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  let wake = () => {};
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    const parts = text.split("\n");
    text = parts.pop() ?? "";
    lines.push(...parts);
    wake();
  });
  const closed = once(child, "close").then(() => wake());
  const next = async () => {
    while (lines.length === 0 && child.exitCode === null && child.signalCode === null) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const line = lines.shift();
    if (line === undefined) throw new Error(`${command} ${args.join(" ")} has ended`);
    return line;
  };
  if ((await next()) !== "listening") throw new Error("expected a peer that listens");
  return {
    child,
    heard: next,
    end: async () => {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

/** The same for a few lines of Python. */
export const listeningScript = (script: string) => listening(pythonFile(), ["-c", script]);

/** Stands in place of a holder. With `lock` it can show that it is one. */
export function stand(uid: number, name: string, answer: string, lock?: string): Promise<Peer> {
  const args = [peerScript, `${uid}`, "listen", name, answer];
  return listening(pythonFile(), lock === undefined ? args : [...args, lock]);
}
