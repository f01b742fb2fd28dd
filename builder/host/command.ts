/** Programs of the host that are asked for their opinion or their work. */
import { spawn } from "node:child_process";

export interface ToolResult {
  /** null after a signal. */
  status: number | null;
  stdout: string;
  stderr: string;
  /** What was written to descriptor 3. */
  status3: string;
}

export interface ToolOptions {
  input?: string | Uint8Array;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Open descriptor 3 for the program to write to. */
  statusPipe?: boolean;
}

/**
 * Runs a program to its end.
 *
 * @returns undefined when it is not installed
 */
export function runTool(
  command: string,
  args: readonly string[],
  { input = "", cwd, env, statusPipe = false }: ToolOptions = {},
): Promise<ToolResult | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(cwd !== undefined && { cwd }),
      ...(env && { env }),
      stdio: ["pipe", "pipe", "pipe", statusPipe ? "pipe" : "ignore"],
    });
    const texts = ["", "", "", ""];
    for (const index of [1, 2, 3]) {
      const stream = child.stdio[index] as NodeJS.ReadableStream | null;
      stream?.setEncoding("utf8").on("data", (part: string) => {
        texts[index] += part;
      });
    }
    child.on("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT" || cause.code === "EACCES") resolve(undefined);
      else reject(cause);
    });
    child.on("close", (status) => {
      const [, stdout = "", stderr = "", status3 = ""] = texts;
      resolve({ status, stdout, stderr, status3 });
    });
    // It may end without reading.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
