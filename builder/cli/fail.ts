/** How a command ends that has failed: the failure is printed, and its exit status set. */
import { BundleError, internal, variable } from "../errors.ts";
import { environment } from "../generated/spec.ts";
import { calledCommand, flagNames } from "./option-flags.ts";
import { printError } from "./print.ts";

/** Options that end at `--`: what is behind is not ours. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end < 0 ? argv.length : end).includes("--json");
}

/** @throws E_VARIABLE for a value that says neither that failures are told with where they arose, nor that not */
export function checkDebug(): void {
  const name = environment.FUSELAGE_DEBUG;
  const text = process.env[name] ?? "";
  if (!["", "0", "1"].includes(text)) throw variable(name, text, "0 or 1");
}

/**
 * @param program its name
 * @param argv without the program
 * @param cause what was thrown; what is no failure of ours is a mistake of ours
 */
export function fail(program: string, argv: readonly string[], cause: unknown): void {
  const error = cause instanceof BundleError ? cause : internal(cause);
  const debug = process.env[environment.FUSELAGE_DEBUG] === "1";
  const names = flagNames(argv, program);
  const command = calledCommand(argv, program);
  printError(error, { json: wantsJson(argv), debug, program, names, command });
  process.exitCode = error.exitStatus;
}
