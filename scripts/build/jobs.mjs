// One queue of work for all parts that are built at once: a compiler for each processor, no more.

import os from "node:os";

let free = os.availableParallelism();
/** @type {((go?: unknown) => void)[]} */
const urgent = [];
/** @type {((go?: unknown) => void)[]} */
const waiting = [];

/** How many files were asked for since the process began, and how many of them are done. */
export const progress = { done: 0, total: 0 };

/**
 * Does one thing as soon as a processor is free for it.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @param {{files?: number, first?: boolean}} options `files`: what it counts for in `progress`;
 *   `first`: before what waits already, because something else waits for it
 * @returns {Promise<T>}
 */
export async function job(work, { files = 1, first = false } = {}) {
  progress.total += files;
  if (free > 0) free--;
  else await new Promise((resolve) => (first ? urgent : waiting).push(resolve));
  try {
    return await work();
  } finally {
    progress.done += files;
    const next = urgent.shift() ?? waiting.shift();
    if (next) next();
    else free++;
  }
}
