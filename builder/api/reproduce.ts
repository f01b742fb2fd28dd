/** Whether an app becomes the same file again, on another day, by somebody else. */
import {
  chmodSync,
  chownSync,
  createReadStream,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
} from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { copyInterpreters } from "../app/node/interpreter-cache.ts";
import { loadConfig } from "../config/config-file.ts";
import { checkOptions } from "../config/validate.ts";
import * as errors from "../errors.ts";
import { cacheFolder } from "../host/cache-folders.ts";
import { runCommand } from "../host/command.ts";
import { sha256OfFile } from "../host/digest.ts";
import { packageRoot } from "../host/paths.ts";
import { Workspace } from "../host/temporary.ts";
import { copyBackwards } from "../input/copy-backwards.ts";
import { type DiffResult, diff } from "./diff.ts";

/** What is built again. */
export interface ReproduceOptions {
  /** Folder of an app, or a configuration file. */
  input: string;
  /** Is told what begins. */
  onStep?: ((what: string) => void) | undefined;
  /** Ends the work; nothing is left behind. */
  signal?: AbortSignal | undefined;
}

/** What came of it. */
export interface Reproduction {
  /** Of the file, hexadecimal. */
  sha256: string;
  /** Bytes of the file. */
  size: number;
  /** How often it was built. */
  builds: number;
  /** What was not the same in these builds. */
  varied: readonly string[];
}

/** How a build is made. */
interface Circumstances {
  name: string;
  /** Of what is varied; the words are shown. */
  varied: readonly Variation[];
  cache: string;
}

const variations = ["clock", "time zone", "locale", "umask", "user", "threads", "place"] as const;

type Variation = (typeof variations)[number];

/** A year and some days ahead of now. */
const CLOCK_AHEAD = 400 * 24 * 3600 * 1000;
/** Nobody that a machine has. */
const OTHER_USER = 54321;

/**
 * Builds an app three times and compares the files: as it is; with the cache that this left; and with an empty
 * cache, a clock that is ahead, other times of its files, another time zone, locale, umask and number of
 * threads, as another user where root asks, from a copy whose folders list their entries in another order.
 *
 * @throws E_NOT_REPRODUCIBLE, which names the first difference and what alone makes one; and as `build`
 *
 * @example
 * ```js
 * import { reproduce } from "fuselage-bundle";
 *
 * const { builds, varied } = await reproduce({ input: "hello" });
 * console.log(builds, varied.includes("time zone")); // 3 true
 * ```
 */
export async function reproduce(options: ReproduceOptions): Promise<Reproduction> {
  checkOptions("verify", { file: options.input });
  const workspace = new Workspace();
  try {
    return await new Reproducer(options, await sourceOf(options.input), workspace.path).run();
  } finally {
    workspace.remove();
  }
}

interface Source {
  /** Absolute path of the app. */
  input: string;
  /** Absolute path of the configuration file, where one is named. */
  config: string | undefined;
  keepsTimes: boolean;
  keepsOwners: boolean;
}

async function sourceOf(given: string): Promise<Source> {
  const stats = await stat(given).catch((cause: unknown) => {
    throw errors.inputMissing(given, cause);
  });
  const isConfig = stats.isFile() && path.basename(given).startsWith("bundle.config.");
  const config = isConfig ? path.resolve(given) : undefined;
  const options = config === undefined ? {} : (await loadConfig(config)).options;
  const input = config === undefined ? given : (options.input ?? path.dirname(config));
  return {
    input: path.resolve(input),
    config,
    keepsTimes: options.keepMtimes === true,
    keepsOwners: options.keepOwners === true,
  };
}

class Reproducer {
  readonly #options: ReproduceOptions;
  readonly #source: Source;
  readonly #dir: string;
  #builds = 0;

  constructor(options: ReproduceOptions, source: Source, dir: string) {
    this.#options = options;
    this.#source = source;
    this.#dir = dir;
  }

  async run(): Promise<Reproduction> {
    const varied = variations.filter((one) => one !== "user" || this.#maySwitch());
    const full = await this.#cache();
    const first = await this.#build({ name: "first", varied: [], cache: full });
    await this.#compare(first, await this.#build({ name: "again", varied: [], cache: full }), [
      "cache",
    ]);
    const cache = await this.#cache();
    const other = await this.#build({ name: "otherwise", varied, cache });
    await this.#compare(first, other, varied);
    return {
      sha256: await this.#digest(first),
      size: (await stat(first)).size,
      builds: this.#builds,
      varied: ["cache", ...varied],
    };
  }

  /** Whether a build may run as another user: he must be able to read what keeps its owners. */
  #maySwitch(): boolean {
    return process.getuid?.() === 0 && !this.#source.keepsOwners;
  }

  /** A cache with the interpreters of the caller's, so that none is fetched again. */
  async #cache(): Promise<string> {
    const dir = path.join(this.#dir, `cache-${this.#builds}`);
    mkdirSync(dir, { mode: 0o700 });
    await copyInterpreters(cacheFolder("node"), path.join(dir, "fuselage-bundle/node"));
    return dir;
  }

  /** @returns the file that was built */
  async #build({ name, varied, cache }: Circumstances): Promise<string> {
    this.#options.onStep?.(`building ${name}`);
    this.#builds++;
    const has = (one: Variation) => varied.includes(one);
    const { input, config } = this.#source;
    const dir = path.join(this.#dir, `${name}-${this.#builds}`);
    mkdirSync(dir);
    const user = has("user") ? { uid: OTHER_USER, gid: OTHER_USER } : undefined;
    const copies = has("place") || has("clock") || user !== undefined;
    const from = copies ? path.join(dir, path.basename(input)) : input;
    if (copies) {
      await copyBackwards(input, from, {
        ahead: has("clock") && !this.#source.keepsTimes ? CLOCK_AHEAD : 0,
        owner: user,
        signal: this.#options.signal,
      });
    }
    const output = path.join(dir, "out");
    const inside = config !== undefined && path.dirname(config) === input;
    const file = inside ? path.join(from, path.basename(config ?? "")) : config;
    const args = [
      ...["build", from, "-o", output],
      ...(file === undefined ? [] : ["--config", file]),
      ...(has("threads") ? ["--threads", "1"] : []),
    ];
    const env = await this.#environment(dir, cache, has);
    if (user !== undefined) this.#giveAway([dir, cache], user);
    const main = path.join(packageRoot(), "dist/cli/main.js");
    const umask = has("umask") ? "077" : "022";
    const command = ["-c", `umask ${umask}; exec "$@"`, "sh", process.execPath, main, ...args];
    const { status, stderr } = await runCommand("/bin/sh", command, {
      env,
      signal: this.#options.signal,
      ...(user && { identity: user }),
    });
    this.#options.signal?.throwIfAborted();
    if (status !== 0) throw errors.rebuildFailed(input, varied, stderr);
    return output;
  }

  async #environment(
    dir: string,
    cache: string,
    has: (one: Variation) => boolean,
  ): Promise<NodeJS.ProcessEnv> {
    const env: NodeJS.ProcessEnv = { ...process.env, XDG_CACHE_HOME: cache };
    if (has("user")) env["HOME"] = dir;
    if (has("time zone")) env["TZ"] = "Pacific/Kiritimati";
    if (has("locale")) env["LC_ALL"] = "tr_TR.UTF-8";
    if (has("clock")) {
      const clock = path.join(dir, "clock.cjs");
      await writeFile(clock, clockAhead);
      env["NODE_OPTIONS"] = `${env["NODE_OPTIONS"] ?? ""} --require ${clock}`.trim();
    }
    return env;
  }

  /** Lets another user write where a build does, and nobody else. */
  #giveAway(folders: readonly string[], { uid, gid }: { uid: number; gid: number }): void {
    chmodSync(this.#dir, 0o711);
    for (const folder of folders) {
      chownSync(folder, uid, gid);
      for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        const file = path.join(folder, name);
        if (lstatSync(file).uid !== uid) lchownSync(file, uid, gid);
      }
    }
  }

  /** @throws E_NOT_REPRODUCIBLE */
  async #compare(first: string, other: string, varied: readonly string[]): Promise<void> {
    if ((await this.#digest(first)) === (await this.#digest(other))) return;
    const difference = firstDifference(await diff({ before: first, after: other }));
    const blamed: string[] = [];
    if (varied.length > 1) {
      for (const one of varied as readonly Variation[]) {
        const cache = await this.#cache();
        const alone = await this.#build({ name: one.replace(" ", "-"), varied: [one], cache });
        if ((await this.#digest(first)) !== (await this.#digest(alone))) blamed.push(one);
      }
    }
    throw errors.notReproducible(
      this.#source.input,
      difference ?? (await firstByte(first, other)),
      blamed.length > 0 ? blamed : varied,
    );
  }

  async #digest(file: string): Promise<string> {
    return (await sha256OfFile(file)).toString("hex");
  }
}

/** Put before whatever Node runs: a clock that is ahead. */
const clockAhead = `const Real = Date;
const ahead = ${CLOCK_AHEAD};
globalThis.Date = class extends Real {
  constructor(...given) {
    if (given.length === 0) super(Real.now() + ahead);
    else super(...given);
  }
  static now() {
    return Real.now() + ahead;
  }
};
`;

/** In words; undefined where the trees and what the bundles say of themselves are the same. */
function firstDifference({ differences, facts }: DiffResult): string | undefined {
  const [first] = differences;
  if (first !== undefined) {
    const { path, change, fields, before, after } = first;
    const values = fields.map((key) => `${key} ${text(before?.[key])} and ${text(after?.[key])}`);
    return change === "changed" ? `${path}: ${values.join(", ")}` : `${path} is in one alone`;
  }
  const [fact] = facts;
  return fact && `${fact.key}: ${text(fact.before)} and ${text(fact.after)}`;
}

const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

async function firstByte(a: string, b: string): Promise<string> {
  let at = 0;
  const other = createReadStream(b)[Symbol.asyncIterator]();
  for await (const part of createReadStream(a) as AsyncIterable<Buffer>) {
    const { value = Buffer.alloc(0) } = (await other.next()) as { value?: Buffer };
    const length = Math.min(part.length, value.length);
    for (let i = 0; i < length; i++) if (part[i] !== value[i]) return `byte ${at + i} of the file`;
    if (part.length !== value.length) return `its length, behind byte ${at + length}`;
    at += length;
  }
  return "its length";
}
