/** A root filesystem that has a libc and nothing else. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import { root as checkout, type Outcome, ordinaryUser, run } from "./process.ts";

/** The libraries of glibc itself, and its dynamic linker. */
const LIBC = ["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0"];

export interface MinimalRoot {
  /** Runs a file of the new root, by its path in there. */
  start(file: string, uid: number, args?: readonly string[]): Promise<Outcome>;
  /** Copies a file of the host into the new root. */
  add(file: string, to: string): void;
}

const output = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: "utf8" }).trim();

/** Makes it below `dir`, which nobody else uses. Needs root and gcc. */
export function minimalRoot(dir: string): MinimalRoot {
  const enter = path.join(dir, "enter-root");
  const source = path.join(checkout, "test/support/enter-root.c");
  output("gcc", "-static", "-O1", "-Wall", "-Werror", "-o", enter, source);
  const top = path.join(dir, "root");
  const add = (file: string, to: string) => {
    const target = path.join(top, to);
    mkdirSync(path.dirname(target), { recursive: true });
    copyFileSync(file, target);
  };
  for (const folder of ["proc", "dev", "tmp", "home"]) {
    mkdirSync(path.join(top, folder), { recursive: true });
  }
  chmodSync(path.join(top, "tmp"), 0o1777);
  const { uid, gid } = ordinaryUser();
  chownSync(path.join(top, "home"), uid, gid);
  for (const name of LIBC) {
    const file = path.resolve(output("gcc", `-print-file-name=${name}`));
    add(file, file);
  }
  const program = output("readelf", "-lW", process.execPath);
  const [, linker = ""] = /interpreter: (\S+)\]/.exec(program) ?? [];
  add(linker, linker);
  return {
    add,
    start(file, asUid, args = []) {
      const env = { HOME: "/home", TMPDIR: "/tmp", PATH: "/usr/bin:/bin" };
      return run(enter, [top, `${asUid}`, file, ...args], { env });
    },
  };
}
