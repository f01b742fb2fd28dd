/** A machine is watched: in which states it is, and whether the app comes up in it. */
import { tailCommand } from "../engines/fuse/guest.ts";
import { pause } from "../oci/registry/retry.ts";
import type { Engine } from "./client.ts";
import * as errors from "./deploy-errors.ts";
import { type Environment, exec, find } from "./environments.ts";
import { environmentEvents } from "./events.ts";
import { findAgain, RESTART } from "./lost-answer.ts";
import { PACE, type Progress, type Watching } from "./progress.ts";

/** Says in which states it is until it is over. It only shows: what fails here says nothing. */
export async function watchStates(
  engine: Engine,
  name: string,
  signal: AbortSignal,
  onStep: (line: string) => void,
): Promise<void> {
  try {
    let made: Environment | undefined;
    while (made === undefined) {
      await pause(PACE / 2, signal);
      made = await find(engine, name, { signal });
    }
    const where = made.host_id ? ` on ${made.host_id}` : "";
    for await (const { state, error } of environmentEvents(engine, made.id, name, { signal })) {
      onStep(`${state}${where}${error ? `: ${engine.redactor.line(error)}` : ""}`);
    }
  } catch {
    // Whoever made it says what is wrong.
  }
}

/**
 * Waits until the app runs and listens.
 *
 * @param made as it was when it was made
 * @returns as it is now
 * @throws E_DEPLOY_FAILED where the machine ends, or the app does not come up; as `find`
 */
export async function waitUntilUp(
  engine: Engine,
  name: string,
  made: Environment,
  progress: Progress,
  { signal, onStep }: Watching,
): Promise<Environment> {
  onStep("waiting until the app is up");
  for (let seen = ""; ; ) {
    const now = await findAgain(engine, name, Date.now() + RESTART, { signal, onStep });
    if (now === undefined) throw errors.failed(name, "the machine is gone");
    const { state, health, error } = now;
    if (state !== "running") {
      throw errors.failed(
        name,
        `the machine is ${engine.redactor.line(state)}`,
        engine.redactor.line(error ?? ""),
      );
    }
    if (health?.state === "passing") return now;
    const verdict = health === undefined ? "it was not looked at yet" : `it is ${health.state}`;
    if (health?.state === "failing") {
      throw errors.failed(name, "the app does not come up", await lastWords(engine, made, name));
    }
    if (verdict !== seen) onStep(verdict);
    seen = verdict;
    progress.at = engine.redactor.line(verdict);
    await pause(PACE, signal);
  }
}

/** Last lines of what the app printed; "" where that cannot be known. */
async function lastWords(engine: Engine, made: Environment, name: string): Promise<string> {
  try {
    const { stdout } = await exec(engine, made, tailCommand(name, 5, 4096), { timeout: 10_000 });
    return engine.redactor.line(stdout.replace(/^\d+\n/, ""));
  } catch {
    return "";
  }
}
