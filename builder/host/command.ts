/** Programs that a build starts: tools of the host, our own runtime, the Node that is packed. */
import { spawn, spawnSync } from "node:child_process";
import type { Readable } from "node:stream";
import { errnoCode } from "../errors.ts";

export interface CommandResult {
  /** null after a signal. */
  status: number | null;
  /** What ended it, when it did not end by itself. */
  signal: NodeJS.Signals | null;
  /** Whether it went beyond the `patience`. */
  overdue: boolean;
  stdout: string;
  stderr: string;
  /** What was written to descriptor 3. */
  status3: string;
}

export interface CommandOptions {
  /** For its standard input, which is empty without. */
  input?: string | Uint8Array;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Open descriptor 3 for the program to write to. */
  statusPipe?: boolean;
  /** "ignore" for a program that leaves a server behind: a pipe would stay open as long as that. */
  stdout?: "pipe" | "ignore";
  /** Milliseconds, then it gets SIGKILL. Default: as long as it takes. */
  timeout?: number;
  /**
   * What is borne of a program that others have power over: they can stop it, hand its pipes on to a process that
   * stays, and write into them without end. Beyond that it gets SIGKILL, and nobody is waited for. Default: all.
   */
  patience?: { milliseconds: number; bytes: number };
  /**
   * Whom it runs as, without other groups; root's to say. In a session of its own: who can trace it must not
   * get at the caller's terminal by it.
   */
  identity?: { uid: number; gid: number };
  /** Aborting ends it with SIGTERM. */
  signal?: AbortSignal | undefined;
  /** Leave it alone when this process is ended: it cleans up behind itself. Default false. */
  outlives?: boolean;
}

/** How those end that end with this process; a process gets its signals as a whole, so the list is one too. */
const running = new Set<() => void>();

/**
 * Has something that was started ended together with this process, by `end`, which must not wait for
 * anything of it.
 *
 * @returns to be called when it has ended
 */
export function endWithProcess(end: () => void): () => void {
  // Each has an entry of its own, whatever it is ended by.
  const entry = () => end();
  running.add(entry);
  return () => running.delete(entry);
}

/**
 * Runs a program to its end, whatever that is.
 *
 * @throws what the system says when it cannot be started
 */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { input, cwd, env, statusPipe = false, stdout = "pipe" } = options;
  const { timeout, patience, signal, identity, outlives = false } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(cwd !== undefined && { cwd }),
      ...(env && { env }),
      ...(identity && { ...identity, detached: true }),
      ...(timeout !== undefined && { timeout, killSignal: "SIGKILL" as const }),
      stdio: [
        input === undefined ? "ignore" : "pipe",
        stdout,
        "pipe",
        ...(statusPipe ? ["pipe" as const] : []),
      ],
    });
    const forget = outlives ? () => {} : endWithProcess(() => child.kill("SIGTERM"));
    const texts = ["", "", "", ""];
    let length = 0;
    const streams = [1, 2, 3].map((index) => child.stdio[index] as Readable | null | undefined);
    for (const [index, stream] of streams.entries()) {
      stream?.setEncoding("utf8").on("data", (part: string) => {
        texts[index + 1] += part;
        length += part.length;
        if (patience !== undefined && length > patience.bytes) giveUp();
      });
    }
    const end = () => child.kill("SIGTERM");
    signal?.addEventListener("abort", end, { once: true });
    // It is not told again.
    if (signal?.aborted) end();
    const ended = () => {
      forget();
      clearTimeout(clock);
      signal?.removeEventListener("abort", end);
    };
    const resolveWith = (status: number | null, by: NodeJS.Signals | null, overdue: boolean) => {
      ended();
      const [, out = "", stderr = "", status3 = ""] = texts;
      resolve({ status, signal: by, overdue, stdout: out, stderr, status3 });
    };
    const giveUp = () => {
      child.kill("SIGKILL");
      for (const stream of streams) stream?.destroy();
      child.unref();
      resolveWith(null, "SIGKILL", true);
    };
    const clock = patience && setTimeout(giveUp, patience.milliseconds);
    child.on("error", (cause) => {
      ended();
      reject(cause);
    });
    child.on("close", (status, by) => resolveWith(status, by, false));
    // It may end without reading.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** `runCommand` for a tool that need not be installed: then the result is undefined. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult | undefined> {
  try {
    return await runCommand(command, args, options);
  } catch (cause) {
    const code = errnoCode(cause);
    if (code === "ENOENT" || code === "EACCES") return undefined;
    throw cause;
  }
}

/**
 * Runs a program while nothing else goes on.
 *
 * @throws what the system says when it cannot be started
 */
export function runCommandSync(
  command: string,
  args: readonly string[],
): Pick<CommandResult, "status" | "stdout" | "stderr"> {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** Ends what runs for this process and would be left alone by its end. */
export function endCommands(): void {
  for (const end of running) end();
  running.clear();
}
