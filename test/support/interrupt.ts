/** Ends commands in the middle of their work. */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Starts a command and sends it a signal `delay` milliseconds after its temporary file or folder
 * has appeared in `cwd`.
 *
 * @returns the signal that ended it
 */
export async function interrupt(
  cwd: string,
  command: string,
  args: readonly string[],
  by: NodeJS.Signals,
  delay = 0,
): Promise<NodeJS.Signals | null> {
  const child = spawn(command, args, { cwd, stdio: "ignore" });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => {
    child.on("close", (_, signal) => resolve(signal));
  });
  while (!readdirSync(cwd).some((name) => name.endsWith(".tmp"))) {
    if (child.exitCode !== null) throw new Error("the command ended before it was interrupted");
    await sleep(1);
  }
  await sleep(delay);
  child.kill(by);
  return ended;
}
