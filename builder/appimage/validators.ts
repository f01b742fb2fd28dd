/** The opinions of the host's own checkers, where they are installed. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { type CommandResult, runTool } from "../host/command.ts";
import { removeTemporary, workFolder } from "../host/temporary.ts";
import { type Warning, warning } from "../warnings.ts";

/** Runs a checker on a copy, which has the file's own name: checkers look at names too. */
async function check(
  command: string,
  args: readonly string[],
  bytes: Uint8Array,
  name: string,
): Promise<CommandResult | undefined> {
  const dir = workFolder();
  try {
    await writeFile(path.join(dir, path.basename(name)), bytes);
    const env = { ...process.env, LC_ALL: "C.UTF-8", LANGUAGE: "" };
    return await runTool(command, [...args, path.basename(name)], { cwd: dir, env });
  } finally {
    removeTemporary(dir);
  }
}

/**
 * Asks desktop-file-validate.
 *
 * @returns its warnings
 * @throws E_DESKTOP_INVALID with its errors
 */
export async function validateDesktopFile(bytes: Uint8Array, file: string): Promise<Warning[]> {
  const result = await check("desktop-file-validate", [], bytes, file);
  if (result === undefined) return [];
  const lines = linesOf(result.stdout + result.stderr).filter((line) => !/: hint: /.test(line));
  const problems = lines.filter((line) => line.includes(": error: "));
  if (result.status === 0) {
    return lines.map((line) => warning("W_DESKTOP", `desktop-file-validate: ${line}`));
  }
  const text = (problems.length > 0 ? problems : lines).map((line) =>
    line.replace(/^.*?: error: /, ""),
  );
  throw errors.desktopInvalid(file, `desktop-file-validate says: ${text.join("; ")}`);
}

/**
 * Asks `appstreamcli validate`, without the network. It ends with a status for warnings too; what it
 * only warns of is no reason to refuse what a machine without it would build.
 *
 * @returns its warnings
 * @throws E_APPSTREAM_INVALID with its errors
 */
export async function validateMetainfo(bytes: Uint8Array, file: string): Promise<Warning[]> {
  const result = await check("appstreamcli", ["validate", "--no-net"], bytes, file);
  if (result === undefined) return [];
  // Lines are "E: ID:LINE: TAG ..."; I and P are remarks.
  const lines = linesOf(result.stdout + result.stderr);
  const found = lines.filter((line) => /^E: /.test(line));
  const warnings = lines.filter((line) => /^W: /.test(line));
  if (result.status === 0 || (found.length === 0 && warnings.length > 0)) {
    return warnings.map((line) =>
      warning("W_APPSTREAM", `appstreamcli: ${line.slice("W: ".length)}`),
    );
  }
  const text = (found.length > 0 ? found : lines).join("; ");
  throw errors.appstreamInvalid(file, text || `it ends with ${result.status}`);
}

function linesOf(text: string): string[] {
  return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
}
