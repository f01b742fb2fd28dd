// The cells of one place: what is asked for, and what came of it (cells.c does it there).

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import path from "node:path";
import { compileStatic } from "../bench/pairs.mjs";
import { root } from "../build/zig.mjs";
import { BUNDLES, homeOf } from "./bundles.mjs";

/** @import {Row} from "./bundles.mjs" */

/**
 * What came of a row for one user. `strategy` is how its image was made visible, where the runtime says
 * it; `milliseconds` one start; `problem` the error's code or the first words, `message` all of it.
 *
 * @typedef {{strategy?: string, milliseconds?: number, problem?: string, message?: string}} Cell
 */

/** What `--bundle-doctor --json` found. @typedef {{strategy: string, works: boolean, cause?: string, reason?: string}} Way */

/**
 * A place and all that was found there; the keys of `cells` are rows, those of both are users.
 *
 * @typedef {{
 *   title: string,
 *   seconds?: number,
 *   ways: Record<string, Way[]>,
 *   cells: Record<string, Record<string, Cell>>,
 *   failure?: string,
 * }} Place
 */

/** Who starts. */
export const users = [0, 1000];

const DOCTOR = "doctor";

/** Compiles cells.c once for each of its versions. @returns {Promise<string>} */
export async function cellsProgram() {
  const source = "scripts/matrix/cells.c";
  const digest = createHash("sha256")
    .update(readFileSync(path.join(root, source)))
    .digest("hex");
  const file = path.join(root, `build/matrix/cells-${digest.slice(0, 12)}`);
  if (existsSync(file)) return file;
  mkdirSync(path.dirname(file), { recursive: true });
  await compileStatic(source, `${file}.${process.pid}`);
  renameSync(`${file}.${process.pid}`, file);
  return file;
}

/** @param {string} name @param {number} uid @param {number} seconds @param {Record<string, string>} more */
function head(name, uid, seconds, more) {
  const env = { HOME: homeOf(uid), PATH: "/usr/bin:/bin", FUSELAGE_LINGER: "0", ...more };
  const lines = Object.entries(env).map(([key, value]) => `env ${key}=${value}`);
  return [`cell ${name}/${uid} ${uid} ${seconds}`, ...lines];
}

/** @param {Row[]} rows @param {number} seconds that each step may take */
export function planOf(rows, seconds) {
  const lines = [];
  for (const uid of users) {
    lines.push(...head(DOCTOR, uid, seconds, {}));
    lines.push(`run ${BUNDLES}/hello.run\t--bundle-doctor\t--json`);
    for (const { id, steps, env = {} } of rows) {
      lines.push(...head(id, uid, seconds, { FUSELAGE_DEBUG: "1", ...env }));
      for (const step of steps({ uid, home: homeOf(uid) })) {
        lines.push(step[0] === "umount" ? step.join(" ") : `run ${step.join("\t")}`);
      }
    }
  }
  return `${lines.join("\n")}\n`;
}

/** A step as cells.c reports it. @typedef {{name: string, status: number, milliseconds: number, output: string}} Step */

/** @returns {Step[]} */
function stepsOf(/** @type {string} */ text) {
  const lines = text.matchAll(/^@@ (\S+) (\d+) (\d+) ([0-9a-f]*)\r?$/gm);
  return [...lines].map(([, name, status, nanoseconds, hex]) => ({
    name,
    status: Number(status),
    milliseconds: Number(nanoseconds) / 1e6,
    output: Buffer.from(hex, "hex").toString("utf8"),
  }));
}

/** What the runtime says of itself is no message of the app. */
const withoutDebug = (/** @type {string} */ text) =>
  text.replaceAll(/^fuselage: mounted by .*\n/gm, "").trim();

/** How the runtime says that it mounted; what it made of a zip file is no mount. */
function strategyIn(/** @type {string} */ text) {
  const [, strategy, shared] = /mounted by (\w+)( \(shared\))?/.exec(text) ?? [];
  return strategy === "nothing" ? "memory" : shared ? `${strategy}, shared` : strategy;
}

/** @param {Row} row @param {Step[]} steps @returns {Cell} */
function cellOf(row, steps) {
  const failed = steps.find(({ status }) => status !== 0);
  const timed = steps[row.timed ?? steps.length - 1];
  const strategy = strategyIn(timed?.output ?? "");
  if (steps.length === 0) return { problem: "not tried", message: "the place ended before" };
  if (failed !== undefined || !row.says.test(timed.output)) {
    const { status, output } = failed ?? timed;
    const message = withoutDebug(output);
    const code = /\[(E_[A-Z_]+)\]/.exec(message)?.[1];
    const words = status === 124 ? "took too long" : `status ${status}`;
    return { strategy, problem: code ?? words, message };
  }
  const start = row.timed === undefined ? timed : steps[0];
  return { strategy, milliseconds: start.milliseconds };
}

/** What a place's output tells of its rows. @param {Row[]} rows @param {string} text @returns {Pick<Place, "ways" | "cells">} */
export function found(rows, text) {
  const steps = stepsOf(text);
  const of = (/** @type {string} */ id, /** @type {number} */ uid) =>
    steps.filter(({ name }) => name === `${id}/${uid}`);
  /** @type {(what: (uid: number) => any) => Record<string, any>} */
  const byUser = (what) => Object.fromEntries(users.map((uid) => [uid, what(uid)]));
  const ways = byUser((uid) => {
    const [step] = of(DOCTOR, uid);
    return step === undefined ? [] : waysOf(step.output);
  });
  const cells = rows.map((row) => [row.id, byUser((uid) => cellOf(row, of(row.id, uid)))]);
  return { ways, cells: Object.fromEntries(cells) };
}

/** Each way is a line; what the doctor says on standard error is between them. @returns {Way[]} */
function waysOf(/** @type {string} */ text) {
  return [...text.matchAll(/^ *(\{ "strategy": .*\}),?$/gm)].map(([, line]) => JSON.parse(line));
}
