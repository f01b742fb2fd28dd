/** What became of a service that was started. */
import { setTimeout } from "node:timers/promises";
import * as errors from "../../errors.ts";
import type { Systemctl } from "./systemctl.ts";

/** Properties of a unit that say how its last run ended: `org.freedesktop.systemd1`(5). */
export const ENDS = ["SubState", "Result", "ExecMainCode", "ExecMainStatus"] as const;

/** Values of ExecMainCode: CLD_EXITED of waitid(2); the others are by a signal. */
const EXITED = "1";

/** How the last run failed, in words, by the properties of `ENDS`; undefined: it did not, or it runs again. */
export function failureOf(shown: ReadonlyMap<string, string>): string | undefined {
  const result = shown.get("Result") ?? "success";
  if (result === "success" || shown.get("SubState") === "running") return undefined;
  const status = shown.get("ExecMainStatus") ?? "";
  if (result === "exit-code") return `it has ended with status ${status}`;
  const isSignal = result === "signal" || result === "core-dump";
  if (isSignal && shown.get("ExecMainCode") !== EXITED) return `signal ${status} has ended it`;
  return `systemd calls it "${result}"`;
}

/** How long an app may take to fail, as for `bundle deploy`; between two looks: ms. */
const FIRST = 1000;
const PACE = 100;

/**
 * A service has been started when its program has: what that makes of it is seen a moment later.
 *
 * @throws E_SERVICE_FAILED where the app fails within a second
 */
export async function requireRunning(systemctl: Systemctl, name: string): Promise<void> {
  const until = Date.now() + FIRST;
  do {
    const failure = failureOf(await systemctl.show(`${name}.service`, ...ENDS));
    if (failure !== undefined) throw errors.serviceEnded(name, failure);
    await setTimeout(PACE);
  } while (Date.now() < until);
}
