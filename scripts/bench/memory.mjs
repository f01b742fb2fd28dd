// What processes take of memory, as /proc says it.

import { readdirSync, readFileSync } from "node:fs";

export function read(/** @type {string} */ file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // The process has ended meanwhile.
  }
}

/** KiB behind a name in a text such as /proc/meminfo. */
export const kib = (/** @type {string} */ text, /** @type {string} */ name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);

/** Processes whose command line begins with one of these files: the apps, servers and holders. */
export function processesOf(/** @type {string[]} */ files) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => files.includes(read(`/proc/${pid}/cmdline`).split("\0")[0]));
}
