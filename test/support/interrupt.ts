/** Ends commands in the middle of their work. */
import { spawn } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Starts a command and sends it a signal `delay` milliseconds after its temporary file or folder
 * has appeared in `cwd`. Where it has done its work before, that goes, and another one is started.
 *
 * @returns the signal that ended it
 */
export async function interrupt(
  cwd: string,
  command: string,
  args: readonly string[],
  by: NodeJS.Signals,
  delay = 0,
): Promise<NodeJS.Signals> {
  const before = readdirSync(cwd);
  for (;;) {
    const child = spawn(command, args, { cwd, stdio: "ignore" });
    const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child.on("close", (...how) => resolve(how));
    });
    const isAtWork = () => readdirSync(cwd).some((name) => name.endsWith(".tmp"));
    while (child.exitCode === null && !isAtWork()) await sleep(1);
    await sleep(delay);
    child.kill(by);
    const [status, signal] = await ended;
    if (signal !== null) return signal;
    if (status !== 0) throw new Error(`the command ended with ${status} instead of by ${by}`);
    for (const name of readdirSync(cwd).filter((one) => !before.includes(one))) {
      rmSync(path.join(cwd, name), { recursive: true });
    }
  }
}
