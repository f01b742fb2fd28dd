/** Runs an interpreter while building. */
import { type CommandOptions, runCommand } from "../../host/command.ts";

/** For an interpreter that hangs, ms. */
const PATIENCE = 30_000;

/**
 * @returns what it printed
 * @throws Error when it cannot be started or ends with a failure; the message holds its stderr
 */
export async function runNode(
  interpreter: string,
  args: readonly string[],
  options: Pick<CommandOptions, "cwd" | "env" | "timeout"> = {},
): Promise<string> {
  const result = await runCommand(interpreter, args, { timeout: PATIENCE, ...options });
  const { status, signal, stdout, stderr } = result;
  if (status === 0) return stdout;
  throw new Error(`${interpreter} ended with ${signal ?? status}: ${stderr.trim()}`);
}
