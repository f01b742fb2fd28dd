/** What a bundle could leave behind on the host, and the check that it did not. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "./until.ts";

export interface Leftovers {
  /** Lines of /proc/self/mountinfo. */
  mounts: string[];
  /** Loop devices in use, each with its file. */
  loops: string[];
  /** Processes of the runtime or of the given file: pid and command line. */
  processes: string[];
  /** Of starts of the given homes. */
  procdirs: string[];
}

export interface Watched {
  /** Executables whose processes count, besides those that are named fuselage. */
  files?: readonly string[];
  /** Home folders with ~/.fuselage/procdirs and mounts, which FUSELAGE_HOME makes the places of starts: they must stay empty. */
  homes?: readonly string[];
}

export interface Owned extends Watched {
  /**
   * What is this test's own, by a part of its line: a mount, loop device or process that has none of these words is
   * another test's, which runs at the same time. Paths, as they are; the table of mounts escapes some bytes.
   */
  own: readonly string[];
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

/** undefined where the file is not there, or went away meanwhile. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}

function executableOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}

/** It has ended, and process 1, whose it is by now, has not looked yet. */
function hasEnded(pid: string): boolean {
  return /\) Z 1 /.test(read(`/proc/${pid}/stat`) ?? ") Z 1 ");
}

function processes(files: readonly string[]): string[] {
  return list("/proc")
    .filter((pid) => /^[0-9]+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => {
      const executable = executableOf(pid).replace(/ \(deleted\)$/, "");
      const isOurs = read(`/proc/${pid}/comm`)?.startsWith("fuselage") && !hasEnded(pid);
      return files.includes(executable) || isOurs;
    })
    .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ") ?? ""}`);
}

/** What is there now. */
export function leftovers({ files = [], homes = [] }: Watched = {}): Leftovers {
  return {
    mounts: (read("/proc/self/mountinfo") ?? "").split("\n"),
    loops: list("/sys/block").flatMap((name) => {
      const file = read(`/sys/block/${name}/loop/backing_file`);
      return file === undefined ? [] : [`${name} ${file}`];
    }),
    processes: processes(files),
    procdirs: homes.flatMap((home) =>
      ["procdirs", "mounts"].flatMap((place) => {
        const dir = path.join(home, ".fuselage", place);
        // A link leads to where the starts of all tests are.
        if (lstatSync(dir, { throwIfNoEntry: false })?.isSymbolicLink()) return [];
        return list(dir).map((name) => path.join(dir, name));
      }),
    ),
  };
}

/** As /proc/self/mountinfo writes a path. */
export const inMountTable = (name: string) =>
  name.replace(/[ \t\n\\]/g, (c) => `\\0${c.charCodeAt(0).toString(8).padStart(2, "0")}`);

/**
 * What of its own a test has made since `before` and has not gone within a time that is for what stays: a server ends a
 * moment after its namespace. Every list is empty when nothing stayed.
 */
export async function leftSince(before: Leftovers, watched: Owned): Promise<Leftovers> {
  const words = [...watched.own, ...watched.own.map(inMountTable)];
  const isNew = (old: readonly string[]) => (line: string) =>
    !old.includes(line) && words.some((word) => line.includes(word));
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const now = leftovers(watched);
    const left: Leftovers = {
      mounts: now.mounts.filter(isNew(before.mounts)),
      loops: now.loops.filter(isNew(before.loops)),
      processes: now.processes.filter(isNew(before.processes)),
      procdirs: now.procdirs.filter((line) => !before.procdirs.includes(line)),
    };
    const count = Object.values(left).reduce((sum, lines) => sum + lines.length, 0);
    if (count === 0 || performance.now() > deadline) return left;
    await sleep(20);
  }
}

/** What `leftSince` returns when all is well, for `expect(...).toEqual(nothing)`. */
export const nothing: Leftovers = { mounts: [], loops: [], processes: [], procdirs: [] };
