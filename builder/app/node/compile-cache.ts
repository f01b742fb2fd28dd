/**
 * V8's code of the app's programs, made at build time by the Node that is packed.
 *
 * Nothing of the app runs: its files are compiled only (templates/node/warm.mjs). What lies inside a
 * function stays uncompiled, as it does in a cache that a run leaves behind.
 *
 * Node finds code by the place of a file relative to the folder of the cache, so both lie here as
 * they will lie at a start: `tmp/node/TAG` beside `static/NAME/app`. The paths of this build are in
 * the code too, and they must not depend on the machine: all are named through /proc/self/cwd.
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import gte from "semver/functions/gte.js";
import { templatesPath } from "../../host/paths.ts";
import type { Interpreter } from "./interpreter.ts";
import { runNode } from "./run-node.ts";
import type { Flag } from "./start-script.ts";

/** From this version on the folder of a cache may move. */
const FIRST = "24.12.0";
const TIMEOUT = 120_000;

/** Flags that open ports and write files, here too. */
const OBSERVING =
  /^--(?:inspect|prof|cpu-prof|heap|report|trace|diagnostic|redirect|title|test|watch)/;

/** A file that is compiled. */
export interface Compiled {
  /** Below the image's root. */
  place: string;
  /** Its text, or where it is on disk. */
  contents: Uint8Array | string;
  /** Whether it is asked for itself, or only imported by others. */
  role: "module" | "script" | "imported";
}

/**
 * Bytes of source from which a cache pays. To set it up takes a start about 1.5 ms, which is what Node
 * needs to look through a megabyte of script.
 */
const WORTH = 1_000_000;

/** Whether a start gets faster with a cache of these. */
export function isWorthCompiling(files: readonly Compiled[]): boolean {
  let bytes = 0;
  for (const { contents } of files) {
    bytes += typeof contents === "string" ? statSync(contents).size : contents.length;
    if (bytes >= WORTH) return true;
  }
  return false;
}

export interface CompileCacheRequest {
  /** Private folder. */
  workspace: string;
  /** Name of the bundle: the folder that its image is mounted at. */
  name: string;
  interpreter: Interpreter;
  /** Those that the app is started with: V8 takes its code back under the same ones only. */
  flags: readonly Flag[];
  files: readonly Compiled[];
}

/** Why this Node cannot use a cache that was made elsewhere, or undefined. */
export function cacheRefusal(version: string | undefined): string | undefined {
  if (version === undefined) return "its version is not known";
  if (gte(version, FIRST)) return undefined;
  return `Node ${version} cannot move a compile cache, ${FIRST} can`;
}

/**
 * Makes the cache.
 *
 * @returns files by name
 * @throws Error when the interpreter cannot run here
 */
export async function makeCompileCache({
  workspace,
  name,
  interpreter,
  flags,
  files,
}: CompileCacheRequest): Promise<Map<string, Uint8Array>> {
  const work = path.join(workspace, "compile");
  const image = path.join("static", name);
  mkdirSync(path.join(work, "tmp"), { recursive: true });
  // Several ways lead to one package.json, and nothing is ever written where a link to it stands.
  const placed = new Map(files.map(({ place, contents }) => [place, contents]));
  for (const [place, contents] of placed) {
    const file = path.join(work, image, place);
    mkdirSync(path.dirname(file), { recursive: true });
    // --preserve-symlinks: it counts as a file that is here.
    if (typeof contents === "string") symlinkSync(contents, file);
    else writeFileSync(file, contents);
  }
  const base = "/proc/self/cwd";
  const programs = files
    .filter(({ role }) => role !== "imported")
    .map(({ place, role }) => `${role}:${path.join(base, image, place)}`);
  const seeds = ["--hash-seed=1", "--random-seed=1", "--preserve-symlinks"];
  const script = path.join(templatesPath(), "node/warm.mjs");
  const own = flags.filter(({ name }) => !OBSERVING.test(name)).flatMap(({ words }) => words);
  await runNode(interpreter.file, [...own, ...seeds, script, `${base}/tmp/node`, ...programs], {
    cwd: work,
    env: { HOME: work, PATH: "/usr/bin:/bin", ...variables(interpreter.env) },
    timeout: TIMEOUT,
  });
  return readCache(path.join(work, "tmp/node"));
}

function variables(list: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((one) => [one.slice(0, one.indexOf("=")), one.slice(one.indexOf("=") + 1)]),
  );
}

/** All of the one folder that Node has made, whose name is for this processor and user. */
function readCache(dir: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const tag of readdirSync(dir)) {
    for (const name of readdirSync(path.join(dir, tag)).sort()) {
      found.set(name, readFileSync(path.join(dir, tag, name)));
    }
  }
  return found;
}
