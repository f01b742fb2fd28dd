/** Mounts for the whole machine, each way that there is to make one. */
import { chownSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { mountedAt } from "../../builder/host/mount-table.ts";
import { inMountTable, type Leftovers, leftovers, leftSince } from "./leftovers.ts";
import type { Need } from "./needs.ts";
import {
  bundleCommand,
  fuselage,
  type Outcome,
  ordinaryUser,
  type RunOptions,
  run,
} from "./process.ts";
import { temporaryDirectory, userDirectory } from "./temporary.ts";

export interface Way {
  title: string;
  type: "loop" | "fuse" | "fusermount";
  asUser: boolean;
  needs: Need[];
}

export const ways: Way[] = [
  { title: "loop, as root", type: "loop", asUser: false, needs: ["root", "loop"] },
  { title: "fuse, as root", type: "fuse", asUser: false, needs: ["root", "fuse"] },
  {
    title: "fusermount, as a user",
    type: "fusermount",
    asUser: true,
    needs: ["fuse", "fusermount"],
  },
];
export const [loop, fuse, fusermount] = ways as [Way, Way, Way];

/** Lines of the table of mounts about a directory. */
export const mountLines = (dir: string) =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${inMountTable(dir)} `));

/** What the table of mounts has last at a directory. */
export const table = (dir: string) => mountedAt(Buffer.from(dir).toString("latin1"));

/** A place to mount on that whoever mounts may use, with a name that needs escaping. */
export function mountPoint(way?: Way): string {
  const dir = path.join(way?.asUser ? userDirectory() : temporaryDirectory(), "mount, point");
  mkdirSync(dir);
  const { uid, gid } = ordinaryUser();
  if (way?.asUser) chownSync(dir, uid, gid);
  return dir;
}

/** Who mounts that way. */
export const as = (way: Way | undefined): RunOptions => (way?.asUser ? ordinaryUser() : {});

/** `bundle`, as who mounts that way. */
export const bundle = (way: Way | undefined, ...args: string[]): Promise<Outcome> =>
  run(process.execPath, [bundleCommand, ...args], as(way));

/** A command that succeeded and said nothing. */
export const done = { status: 0, stdout: "", stderr: "" };

/** A file of the mount, as who mounts that way reads it. */
export const cat = (dir: string, file = "data/file", way?: Way) =>
  run("cat", [path.join(dir, file)], as(way));

/** What came with a mount of `app` at `dir` and does not go; tests of other files mount too. */
export function leftOfMount(before: Leftovers, app: string, dir: string): Promise<Leftovers> {
  return leftSince(before, { files: [fuselage, app], own: [dir] });
}

/** The process that serves a mount at `dir`; undefined: the kernel does. */
export function serverOf(dir: string): number | undefined {
  const line = leftovers().processes.find(
    (line) => line.includes(dir) && line.includes("--mount") && isServer(line),
  );
  return line === undefined ? undefined : Number(line.split(" ")[0]);
}

function isServer(line: string): boolean {
  const [pid] = line.split(" ");
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8") === "fuselage-fuse\n";
  } catch {
    return false; // It has ended.
  }
}
