/** Small apps packed by the builder, and the ways in which they are started. */
import path from "node:path";
import { build } from "../../builder/api/build.ts";
import type { BuildOptions } from "../../builder/config/build-options.ts";
import { runArguments } from "./bundle-of.ts";
import { type Files, writeFiles } from "./case.ts";
import { missing, type Need } from "./needs.ts";
import { asUser, isRoot, type Outcome, type RunOptions, run } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

/** Packs files; by default one that runs its arguments. @returns path of the bundle */
export async function pack(
  files: Files = { run: runArguments },
  options: Partial<BuildOptions> = {},
): Promise<string> {
  const dir = temporaryDirectory();
  const input = path.join(dir, "app");
  const output = path.join(dir, "app.run");
  writeFiles(dir, Object.fromEntries(Object.entries(files).map(([k, v]) => [`app/${k}`, v])));
  await build({ input, output, level: 1, ...options });
  return output;
}

/** One way to start a bundle: who, and by which strategy. */
export interface Way {
  title: string;
  strategy: "loop" | "fuse" | "fusermount" | "extract";
  root: boolean;
  needs: Need[];
}

/** All that a machine can have. */
export const ways: Way[] = [
  { title: "loop, as root", strategy: "loop", root: true, needs: ["root", "loop"] },
  { title: "fuse, as root", strategy: "fuse", root: true, needs: ["root", "fuse"] },
  { title: "extract, as root", strategy: "extract", root: true, needs: ["root"] },
  { title: "fuse, as a user", strategy: "fuse", root: false, needs: ["fuse", "userns"] },
  {
    title: "fusermount, as a user",
    strategy: "fusermount",
    root: false,
    needs: ["fuse", "fusermount"],
  },
  { title: "extract, as a user", strategy: "extract", root: false, needs: ["userns"] },
];

/** Starts a bundle in this way, with its own HOME. */
export function start(
  way: Pick<Way, "strategy" | "root">,
  file: string,
  args: readonly string[],
  home: string,
  options: RunOptions = {},
): Promise<Outcome> {
  const env = { HOME: home, FUSELAGE_MOUNT: way.strategy, ...options.env };
  if (way.root) return run(file, args, { ...options, env });
  return asUser(file, args, home, { ...options, env });
}

/** What `auto` must choose here for a bundle that an ordinary user starts. */
export function userStrategy(): Way["strategy"] {
  if (missing("fuse") !== undefined) return "extract";
  return missing("fusermount") === undefined ? "fusermount" : "fuse";
}

/** The same for the tests' own user. */
export function expectedStrategy(): Way["strategy"] {
  if (!isRoot) return userStrategy();
  if (missing("loop") === undefined) return "loop";
  return missing("fuse") === undefined ? "fuse" : "extract";
}
