/** Starts programs with the state of their process set oddly, and reads what they find of it. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import { build } from "../../builder/api/build.ts";
import { ordinaryUser, root } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

/** Compiles a program of the tests. @returns its path, for everyone to execute */
export function compile(source: string, ...flags: string[]): string {
  const file = path.join(temporaryDirectory(), path.basename(source, ".c"));
  const warnings = ["-Wall", "-Wextra", "-Werror"];
  execFileSync("cc", [...warnings, "-O1", ...flags, "-o", file, path.join(root, "test", source)]);
  return file;
}

/** The program that sets and shows state; static, so that small limits are no obstacle to itself. */
export const compileState = (): string => compile("support/process-state.c", "-static");

/** Packs a program, which is the app, and what `more` puts beside it. @returns the folder that was packed, and the bundle */
export async function packProgram(
  program: string,
  name = "app.run",
  more: (input: string) => void = () => {},
): Promise<{ input: string; file: string }> {
  const dir = temporaryDirectory();
  const input = path.join(dir, "app");
  const file = path.join(dir, name);
  mkdirSync(input);
  copyFileSync(program, path.join(input, "state"));
  chmodSync(path.join(input, "state"), 0o755);
  more(input);
  await build({ input, output: file, entry: "state", level: 1 });
  return { input, file };
}

/** What came of a start. */
export interface Shown {
  status: number | string | null;
  /** What it says on descriptor 3. */
  lines: string[];
  stderr: string;
}

export interface Surroundings {
  root: boolean;
  home: string;
  env?: Record<string, string | undefined>;
  cwd?: string;
}

/** Runs a command to its end, with descriptor 3 open. */
export async function listen(
  command: readonly string[],
  { root: isRootToo, home, env, cwd = "/usr" }: Surroundings,
): Promise<Shown> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env["PATH"], HOME: home, FUSELAGE_LINGER: "0", ...env },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    timeout: 120_000,
    killSignal: "SIGKILL",
    ...(isRootToo ? {} : ordinaryUser()),
  });
  const said = { 2: "", 3: "" };
  for (const fd of [2, 3] as const) {
    child.stdio[fd]?.on("data", (chunk: Buffer) => {
      said[fd] += chunk;
    });
  }
  const [status, signal] = (await once(child, "close")) as [number | null, string | null];
  return { status: signal ?? status, lines: said[3].trim().split("\n"), stderr: said[2] };
}
