/**
 * An answer that was lost says nothing of what was done: the machine may be there, may yet come, or may never have
 * been begun. Here the orchestrator is asked until that is known, and what was half made is destroyed.
 */
import { setTimeout } from "node:timers/promises";
import { pause } from "../oci/registry/retry.ts";
import type { Engine } from "./client.ts";
import * as errors from "./deploy-errors.ts";
import { destroy, type Environment, find, isFailure } from "./environments.ts";
import { environmentEvents } from "./events.ts";
import { PACE, type Progress, type Watching } from "./progress.ts";

/** How long an orchestrator may take to start again, ms. */
export const RESTART = 30_000;

/**
 * What became of a request whose answer was lost.
 *
 * @param cause what cut it
 * @returns the machine, when it runs
 * @throws `cause` where there is none; E_DEPLOY_FAILED where it ended
 */
export async function findMade(
  engine: Engine,
  name: string,
  cause: unknown,
  progress: Progress,
  { signal, onStep }: Watching,
): Promise<Environment> {
  const end = Math.min(progress.until - PACE / 2, Date.now() + RESTART);
  let there: Environment | undefined;
  progress.lost = cause;
  while (there === undefined) {
    if (Date.now() + PACE / 2 >= end) throw cause;
    await pause(PACE / 2, signal);
    there = await findAgain(engine, name, end, { signal, onStep });
  }
  progress.lost = undefined;
  for await (const event of environmentEvents(engine, there.id, name, { signal })) {
    onStep(event.state);
    if (event.state === "running") return (await find(engine, name, { signal })) ?? there;
    if (event.state === "failed" || event.state === "destroyed") {
      throw errors.failed(
        name,
        `the machine is ${event.state}`,
        engine.redactor.line(event.error ?? ""),
      );
    }
  }
  throw errors.failed(name, "the machine is gone, and the orchestrator does not say why");
}

/** As `find`, of an orchestrator that may be starting again. @param end until when, ms */
export async function findAgain(
  engine: Engine,
  name: string,
  end: number,
  { signal, onStep }: Watching,
): Promise<Environment | undefined> {
  for (let isSaid = false; ; ) {
    try {
      return await find(engine, name, { signal });
    } catch (cause) {
      const mayPass =
        isFailure(cause, "E_DEPLOY_UNREACHABLE") || isFailure(cause, "E_DEPLOY_SERVER");
      if (!mayPass || signal.aborted || Date.now() >= end) throw cause;
      if (!isSaid) onStep(`${(cause as Error).message}; it is asked again`);
      isSaid = true;
    }
    await pause(PACE / 2, signal);
  }
}

/**
 * Destroys what was half made, and says so. It throws nothing: what is wrong already says more.
 *
 * @param most how often it is looked for: what was asked for may come into being meanwhile
 */
export async function undo(
  engine: Engine,
  name: string,
  most: number,
  onStep: (line: string) => void,
): Promise<void> {
  const by = `\`bundle deploy destroy ${name}\``;
  try {
    for (let looks = 1; looks <= most; looks++) {
      const half = await find(engine, name);
      if (half !== undefined) {
        await destroy(engine, half);
        onStep(`what was half made is destroyed: ${half.id}`);
        return;
      }
      if (looks < most) await setTimeout(PACE / 4);
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "";
    onStep(`a machine may be left: ${why}; ${by} when the orchestrator answers`);
  }
}
