/** Whether this process may open as many files as our work takes at once. */
import { readdirSync, readFileSync } from "node:fs";
import * as errors from "../errors.ts";

/**
 * Descriptors that must be free when a command starts: Node reads as many of our files at once while it
 * loads them, and a build never has more open. Those of Node itself are open by then.
 */
const NEEDED = 40;

/**
 * Refuses in words what would else fail in the middle, in those of Node's loader or of a package.
 *
 * @throws E_LIMIT
 */
export function requireDescriptors(): void {
  const [, soft] = /^Max open files +(\d+) /m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  if (soft === undefined) return;
  // The folder itself is open while it is read.
  const open = readdirSync("/proc/self/fd").length - 1;
  if (Number(soft) - open < NEEDED) throw errors.limit(NEEDED, Number(soft), open);
}
