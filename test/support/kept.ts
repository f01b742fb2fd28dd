/** Files that starts keep decompressed (runtime/cache/hot_files.h), and bundles that have one. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { BuildOptions } from "../../builder/config/build-options.ts";
import { runArguments } from "./bundle-of.ts";
import { pack, start, type Way, ways } from "./packed.ts";
import type { Outcome, RunOptions } from "./process.ts";
import { aloneIn } from "./start.ts";
import { until } from "./until.ts";

export const HOT = "data/hot";

/** Incompressible at its ends, a hole of whole blocks between them, and no whole block at the end. */
export function hotBytes(seed = "a"): Buffer {
  const noise = (of: string) =>
    Buffer.concat(
      Array.from({ length: 5000 }, (_, i) => createHash("sha256").update(`${of}${i}`).digest()),
    );
  return Buffer.concat([noise(`${seed}1`), Buffer.alloc(500_000), noise(`${seed}2`)]);
}

/** A bundle that runs its arguments and has one such file. */
export const packHot = (bytes = hotBytes(), options: Partial<BuildOptions> = {}) =>
  pack({ run: runArguments, [HOT]: bytes }, { keepHot: ["data/*"], ...options });

/** The ways that can use what is kept. */
export const keeping = ways.filter(({ strategy }) => strategy === "loop" || strategy === "fuse");

export const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** What a process of the app sees of the file: digest, permissions, size, time; how it is mounted. */
export const LOOK = [
  "sh",
  "-c",
  `cd "$FUSELAGE_BUNDLE_DIR" && sha256sum < ${HOT} && stat -c '%a %s %Y %u %g %h' ${HOT} &&
   awk -v p="$FUSELAGE_BUNDLE_DIR/${HOT}" '$5 == p { print $6 }' /proc/self/mountinfo`,
];

export interface Look {
  /** All but how it is mounted. */
  file: string;
  /** Options of its own mount; undefined: it is the image's. */
  mount: string | undefined;
}

/** Starts a bundle, which must succeed, with a mount of its own and all of its state in `home`. */
export async function look(
  way: Pick<Way, "strategy" | "root">,
  bundle: string,
  home: string,
  env: RunOptions["env"] = {},
): Promise<Look> {
  const outcome = await begin(way, bundle, home, env);
  if (outcome.status !== 0) throw new Error(`status ${outcome.status}: ${outcome.stderr}`);
  const lines = outcome.stdout.trim().split("\n");
  return { file: lines.slice(0, 2).join("\n"), mount: lines[2] };
}

export const begin = (
  way: Pick<Way, "strategy" | "root">,
  bundle: string,
  home: string,
  env: RunOptions["env"] = {},
  args: readonly string[] = LOOK,
): Promise<Outcome> =>
  start(way, bundle, args, home, {
    env: { ...aloneIn(home), FUSELAGE_LINGER: "0", FUSELAGE_KEEP: undefined, ...env },
  });

export const cacheOf = (home: string) => path.join(home, ".fuselage/cache");

/** Names in the cache of a home, those of kept files in front. */
export function cached(home: string): string[] {
  try {
    return readdirSync(cacheOf(home)).sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  } catch {
    return [];
  }
}

/** Those of whole files. */
export const kept = (home: string) =>
  cached(home).filter((name) => /^\w{64}\.\d+\.\d+$/.test(name));

const read = (pid: string, name: string) => {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return ""; // It has ended.
  }
};

/** Processes that keep files in `home`, or are about to say that they do. */
export function keepers(home: string): number[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && read(pid, "environ").includes(`HOME=${home}\0`))
    .filter((pid) => ["fuselage-keeper\n", "app.run\n"].includes(read(pid, "comm")))
    .map(Number);
}

/**
 * Waits until the processes that keep files in `home` have ended. They are the last to get a processor, which where
 * others work is after minutes: so they are given what others have, once they have taken it from themselves.
 */
export async function settledIn(home: string): Promise<void> {
  const hurried = new Set<number>();
  const isIdle = (pid: number) => /\) (\S+ ){38}5 /.test(read(`${pid}`, "stat"));
  await until(
    `the end of who keeps files in ${home}`,
    () => {
      const pids = keepers(home);
      for (const pid of pids.filter((one) => !hurried.has(one) && isIdle(one))) {
        // It may have ended, and a user may not be allowed to.
        spawnSync("chrt", ["--other", "--pid", "0", `${pid}`], { stdio: "ignore" });
        hurried.add(pid);
      }
      return pids.length === 0;
    },
    () => keepers(home),
  );
}
