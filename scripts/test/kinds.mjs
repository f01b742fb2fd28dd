// The kinds of tests, the quick ones first, and how long each file of them takes.

import { readFileSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");

/** What was measured here the last time, which a reporter of vitest writes. */
export const timesFile = path.join(root, "build/test-times.json");

/**
 * Folders in the order of their running; `seconds` that a file of them takes, as a rule.
 *
 * @public for its test, which imports it by its path
 */
export const kinds = [
  { dir: "test/unit/", seconds: 0.7 },
  { dir: "test/interop/", seconds: 10 },
  { dir: "test/deploy/", seconds: 20 },
  { dir: "test/security/", seconds: 5 },
  { dir: "test/cases/", seconds: 60 },
  { dir: "test/appimage/", seconds: 10 },
  { dir: "test/runtime/", seconds: 20 },
  { dir: "test/bundling/", seconds: 25 },
  { dir: "test/vm/", seconds: 30 },
  { dir: "test/libc/", seconds: 10 },
  { dir: "test/engines/", seconds: 5 },
  // Short ones last, that none of the long ones runs alone at the end.
  { dir: "test/root/", seconds: 10 },
  { dir: "test/sandbox/", seconds: 10 },
  { dir: "test/runner/", seconds: 5 },
];

/** Seconds by test file. @returns {Record<string, number>} */
export function measured() {
  try {
    return JSON.parse(readFileSync(timesFile, "utf8"));
  } catch {
    return {}; // No run before this one.
  }
}

/** Place of a test file's kind in the order; what is of no kind comes last. */
export function rank(/** @type {string} */ file) {
  const index = kinds.findIndex(({ dir }) => file.startsWith(dir));
  return index < 0 ? kinds.length : index;
}

/** Seconds that a test file will take. */
export function expected(/** @type {string} */ file, times = measured()) {
  return times[file] ?? kinds[rank(file)]?.seconds ?? 10;
}
