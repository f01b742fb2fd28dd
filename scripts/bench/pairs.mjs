// What the benchmarks share: medians, static helper programs, and two commands timed in turn.

import path from "node:path";
import { machineName } from "../build/machines.mjs";
import { root, run, zigEnv, zigPath } from "../build/toolchain.mjs";

/**
 * One line of the table in docs/benchmarks.md.
 * @typedef {{what: string, measured: string, wanted: string, met: boolean}} Row
 */

/** Who runs the benchmarks: root can do more. */
export const ownUid = process.getuid?.() ?? 0;

/** This machine's architecture as runtimes call it. */
export const machine = machineName();

export function median(/** @type {number[]} */ values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Compiles one C file of the checkout into a static program. */
export async function compileStatic(/** @type {string} */ source, /** @type {string} */ output) {
  const flags = ["-target", `${machine}-linux-musl`, "-static", "-O2", "-s"];
  await run(zigPath(), ["cc", ...flags, path.join(root, source), "-o", output], { env: zigEnv() });
}

/**
 * Runs two commands in turn (scripts/bench/pair.c).
 *
 * @param {string} pair the compiled pair.c
 * @param {{first: string[], second: string[], uid: number, env: NodeJS.ProcessEnv, pairs: number,
 *   warmUp?: number, pause?: number}} job `warmUp`: pairs before those that count; `pause`: before each start, ms
 * @returns {Promise<{first: number, second: number, difference: number}>} medians in milliseconds;
 *   `difference` is the median of second - first
 */
export async function timePairs(pair, job) {
  const { first, second, uid, env, pairs, warmUp = 20, pause = 0 } = job;
  const args = [`${pairs + warmUp}`, `${uid}`, `${pause}`, ...first, "--", ...second];
  const lines = (await run(pair, args, { env })).trim().split("\n").slice(warmUp);
  const times = lines.map((line) => line.split(" ").map((ns) => Number(ns) / 1e6));
  return {
    first: median(times.map(([a]) => a)),
    second: median(times.map(([, b]) => b)),
    difference: median(times.map(([a, b]) => b - a)),
  };
}

export const ms = (/** @type {number} */ value) => `${value.toFixed(2)} ms`;
