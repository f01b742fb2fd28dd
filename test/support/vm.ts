/** Bundles as virtual machines, by the command. */
import { randomInt } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { build } from "../../builder/api/build.ts";
import { bundle, bundleCommand, type RunOptions } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

/** How long an emulated machine may take on a busy processor, ms. */
export const PATIENCE = 270_000;

/** The words `bundle vm run` are followed by; emulation is asked for, so nothing is said of it. */
export const EMULATED = ["--accel", "tcg"];

/** A bundle whose entry is busybox: its arguments are one of its commands. */
export async function busyboxBundle(name = "app.run"): Promise<string> {
  const dir = temporaryDirectory();
  const input = path.join(dir, "app");
  mkdirSync(input);
  copyFileSync("/bin/busybox", path.join(input, "busybox"));
  const output = path.join(dir, name);
  await build({ input, output, entry: "busybox", compression: "zstd", level: 1 });
  return output;
}

/** `bundle vm ARGS`. */
export const vm = (args: readonly string[], options: RunOptions = {}) =>
  bundle(["vm", ...args], { timeout: PATIENCE, ...options });

/** A line of busybox's shell in an emulated machine. */
export const shell = (
  file: string,
  script: string,
  options: readonly string[] = [],
  given: RunOptions = {},
) => vm(["run", file, ...EMULATED, ...options, "--", "sh", "-c", script], given);

/** The same as words for `process.execPath`. */
export const shellCommand = (file: string, script: string, options: readonly string[] = []) => [
  ...[bundleCommand, "vm", "run", file, ...EMULATED, ...options],
  ...["--", "sh", "-c", script],
];

/**
 * A port that nobody has at the moment, and that the kernel gives to nobody who asks for any (32768 and more, unless the
 * machine says otherwise): what other tests listen at while this one has not begun to.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + randomInt(12_000);
    const server = net.createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.on("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

/** Processes with a word in their command line, by number. */
export function processesWith(word: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(word);
      } catch {
        return false; // It has ended meanwhile.
      }
    })
    .map(Number);
}
