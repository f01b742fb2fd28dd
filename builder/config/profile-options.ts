/** What the recording of a start takes, and the check of it at the edge. */
import * as errors from "../errors.ts";
import { optionRules } from "../generated/spec.ts";
import type { Until } from "../profile/run-app.ts";
import { checkOptions } from "./validate.ts";

/** What the recording of a start takes. */
export interface ProfileOptions {
  /** Bundle to start. */
  bundle: string;
  /** Arguments of the app. */
  args?: readonly string[] | undefined;
  /** File to write. Default "start.profile". */
  output?: string | undefined;
  /** When the start is over: seconds, or a text that the app prints. Default: when it rests. */
  until?: string | undefined;
  /** Starts to record, 1..100. Default 1. */
  runs?: number | undefined;
  /** Profiles to take over what they name, as far as the bundle has it. */
  merge?: readonly string[] | undefined;
  /** Is told what becomes of each start, one line each. */
  onReport?: ((line: string) => void) | undefined;
  /** Ends the app and the work; nothing is left behind. */
  signal?: AbortSignal | undefined;
}

export interface ResolvedProfileOptions extends Omit<ProfileOptions, "until"> {
  args: readonly string[];
  output: string;
  until: Until;
  runs: number;
  merge: readonly string[];
}

/** The types and the table name the same keys, or this does not compile. */
optionRules.profile satisfies Record<Exclude<keyof ProfileOptions, "onReport" | "signal">, object>;

/** A day: whoever wants longer does not mean a start. */
const MAX_SECONDS = 86_400;

/**
 * Checks the options and fills in defaults.
 *
 * @throws E_OPTION_UNKNOWN, E_OPTION_MISSING, E_OPTION_VALUE
 */
export function resolveProfileOptions(options: ProfileOptions): ResolvedProfileOptions {
  if (!options.bundle) throw errors.optionMissing("bundle", "the bundle to start");
  checkOptions("profile", options, ["onReport", "signal"]);
  return {
    ...options,
    args: options.args ?? [],
    output: options.output ?? "start.profile",
    until: resolveUntil(options.until),
    runs: options.runs ?? 1,
    merge: options.merge ?? [],
  };
}

/** Digits are seconds, all else is a text. */
function resolveUntil(until: string | undefined): Until {
  if (until === undefined) return "idle";
  if (!/^[0-9]+(\.[0-9]+)?$/.test(until)) return { text: until };
  const seconds = Number(until);
  if (seconds > 0 && seconds <= MAX_SECONDS) return { seconds };
  const expected = `more than 0 and at most ${MAX_SECONDS} seconds, or a text`;
  throw errors.optionValue("until", expected, `"${until}"`);
}
