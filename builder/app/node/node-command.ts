/** Runs a program while building. */
import { spawn } from "node:child_process";

export interface CommandOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Milliseconds, then it is killed. Default 30 s. */
  timeout?: number;
}

/** @throws Error when it cannot be started or ends with a failure; the message holds its stderr */
export function run(
  command: string,
  args: readonly string[],
  { cwd, env, timeout = 30_000 }: CommandOptions,
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(cwd !== undefined && { cwd }),
      ...(env !== undefined && { env }),
      stdio: ["ignore", "pipe", "pipe"],
      timeout,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (status, signal) => {
      if (status === 0) resolve({ stdout, stderr });
      else reject(new Error(`${command} ended with ${signal ?? status}: ${stderr.trim()}`));
    });
  });
}
