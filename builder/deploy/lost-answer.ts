/**
 * An answer that was lost says nothing of what was done: the machine may be there, may yet come, or may never have
 * been begun. Here the orchestrator is asked until that is known, and what was half made is destroyed.
 */
import { setTimeout } from "node:timers/promises";
import { digestCommand } from "../engines/fuse/guest.ts";
import { pause } from "../oci/registry/retry.ts";
import type { Engine } from "./client.ts";
import * as errors from "./deploy-errors.ts";
import type { Deployment } from "./deployment.ts";
import { destroy, type Environment, exec, find, isFailure } from "./environments.ts";
import { environmentEvents } from "./events.ts";
import { PACE, type Progress, type Watching } from "./progress.ts";

/** How long an orchestrator may take to start again, ms. */
export const RESTART = 30_000;

/**
 * What became of a request whose answer was lost.
 *
 * @param cause what cut it
 * @returns the machine, when it runs
 * @throws `cause` where there is none; E_DEPLOY_FAILED where it ended, E_DEPLOY_EXISTS where it is somebody else's
 */
export async function findMade(
  engine: Engine,
  wanted: Wanted,
  cause: unknown,
  progress: Progress,
  { signal, onStep }: Watching,
): Promise<Environment> {
  const { name } = wanted;
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
    if (event.state === "running") {
      const now = (await find(engine, name, { signal })) ?? there;
      if (await runsAnother(engine, now, wanted)) throw errors.exists(name, ANOTHER);
      return now;
    }
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

/** What was asked for. */
type Wanted = Pick<Deployment, "name" | "sha256">;

const ANOTHER = "which runs another bundle";

/** How long a machine may take to say what it runs, ms. */
const TOLD = 10_000;

/**
 * Whether somebody else has deployed another bundle by this name meanwhile. A machine that cannot be asked is taken for
 * that which was asked for.
 */
async function runsAnother(
  engine: Engine,
  there: Environment,
  { name, sha256 }: Wanted,
): Promise<boolean> {
  if (there.state !== "running") return false;
  const asked = exec(engine, there, digestCommand(name), { again: true, timeout: TOLD });
  const digest = (await asked.catch(() => undefined))?.stdout.trim() ?? "";
  return /^[0-9a-f]{64}$/.test(digest) && digest !== sha256;
}

/**
 * Destroys what was half made, and says so. It throws nothing: what is wrong already says more.
 *
 * @param most how often it is looked for: what was asked for may come into being meanwhile
 */
export async function undo(
  engine: Engine,
  wanted: Wanted,
  most: number,
  onStep: (line: string) => void,
): Promise<void> {
  const { name } = wanted;
  const by = `\`bundle deploy destroy ${name}\``;
  try {
    for (let looks = 1; looks <= most; looks++) {
      const half = await find(engine, name);
      if (half !== undefined) {
        if (await runsAnother(engine, half, wanted)) {
          onStep(`${half.id} stays: it is somebody else's, ${ANOTHER}`);
          return;
        }
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
