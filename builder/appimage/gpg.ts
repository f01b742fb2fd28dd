/** GnuPG, by its machine interface (doc/DETAILS of GnuPG: "Format of the --status-fd output"). */
import * as errors from "../errors.ts";
import { type CommandOptions, runTool } from "../host/command.ts";

/** A line `[GNUPG:] KEYWORD ARG...`. */
export interface Status {
  keyword: string;
  args: readonly string[];
}

export interface GpgResult {
  ok: boolean;
  stdout: string;
  /** For people. */
  stderr: string;
  statuses: readonly Status[];
}

/**
 * Runs gpg without questions on the terminal; its agent may still ask for a passphrase.
 *
 * @throws E_GPG_MISSING
 */
export async function gpg(
  args: readonly string[],
  options: CommandOptions & { home?: string } = {},
): Promise<GpgResult> {
  const { home, ...rest } = options;
  const where = home === undefined ? [] : ["--homedir", home];
  // Messages are shown to people who may read no other language here; statuses have none.
  const env = { ...process.env, LC_ALL: "C.UTF-8", LANGUAGE: "" };
  const result = await runTool(
    "gpg",
    [...where, "--batch", "--yes", "--no-tty", "--status-fd", "3", ...args],
    { ...rest, env, statusPipe: true },
  );
  if (result === undefined) throw errors.gpgMissing();
  const { status, stdout, stderr, status3 } = result;
  return { ok: status === 0, stdout, stderr, statuses: statusesOf(status3) };
}

function statusesOf(text: string): Status[] {
  return text.split("\n").flatMap((line) => {
    const [mark, keyword, ...args] = line.split(" ");
    return mark === "[GNUPG:]" && keyword !== undefined ? [{ keyword, args }] : [];
  });
}

/** The first status with the keyword. */
export function statusOf(result: GpgResult, keyword: string): Status | undefined {
  return result.statuses.find((status) => status.keyword === keyword);
}

/** What gpg said, in one line, for a message of ours. */
export function gpgWords({ stderr }: GpgResult): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.replace(/^gpg: /, "").trim())
    .filter((line) => line !== "");
  return lines.slice(-2).join("; ") || "nothing";
}
