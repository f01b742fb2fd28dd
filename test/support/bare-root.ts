/** Root filesystems with next to nothing in them, as systems without glibc are. */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { root as checkout, type Outcome, type RunOptions, run } from "./process.ts";

/** Enters a folder as the root of all files; linked statically, because there is nothing in it. */
export function enterRoot(dir: string): string {
  const enter = path.join(dir, "enter-root");
  const source = path.join(checkout, "test/support/enter-root.c");
  execFileSync("gcc", ["-static", "-O1", "-Wall", "-Werror", "-o", enter, source]);
  return enter;
}

export class BareRoot {
  readonly top: string;
  readonly #enter: string;

  /** @param top a folder that does not exist yet */
  constructor(top: string, enter: string) {
    this.top = top;
    this.#enter = enter;
    for (const folder of ["proc", "dev", "tmp", "etc"]) {
      mkdirSync(path.join(top, folder), { recursive: true });
    }
    chmodSync(path.join(top, "tmp"), 0o1777);
    writeFileSync(
      path.join(top, "etc/hosts"),
      "127.0.0.1 localhost\n127.0.0.7 name-of-etc-hosts\n",
    );
    writeFileSync(path.join(top, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\n");
  }

  /** Copies a file or a folder of this machine. */
  add(from: string, to = from): void {
    const target = path.join(this.top, to);
    mkdirSync(path.dirname(target), { recursive: true });
    if (from.endsWith("/")) cpSync(from, target, { recursive: true, preserveTimestamps: true });
    else copyFileSync(from, target);
  }

  write(to: string, text: string): void {
    const target = path.join(this.top, to);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
  }

  link(target: string, at: string): void {
    mkdirSync(path.dirname(path.join(this.top, at)), { recursive: true });
    symlinkSync(target, path.join(this.top, at));
  }

  /** Starts a file of the root, by its path in there. Its environment is `env` and no more. */
  start(
    uid: number,
    file: string,
    args: readonly string[] = [],
    options: RunOptions = {},
  ): Promise<Outcome> {
    const clean = Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined]));
    const env = { ...clean, PATH: "/bin", ...options.env };
    return run(this.#enter, [this.top, `${uid}`, file, ...args], { ...options, env });
  }
}
