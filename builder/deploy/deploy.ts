/**
 * A bundle becomes a machine of an engine's that runs it, or nothing is left of the try.
 *
 * The orchestrator takes one request, which it answers when the machine is up and its first script is done:
 * that fetches the bundle, checks its digest and starts it. Meanwhile the machine is watched (watch.ts), and when
 * that request fails, or its answer is lost, the orchestrator is asked what became of it (lost-answer.ts).
 */
import { digestCommand, scriptFailure } from "../engines/fuse/guest.ts";
import type { Engine } from "./client.ts";
import * as errors from "./deploy-errors.ts";
import { createRequest, type Deployment } from "./deployment.ts";
import { create, type Environment, exec, find, isFailure, whyNoCommands } from "./environments.ts";
import { limit } from "./limit.ts";
import { findMade, undo } from "./lost-answer.ts";
import { PACE, type Progress, type Watching } from "./progress.ts";
import { waitUntilUp, watchStates } from "./watch.ts";

export interface Deployed {
  environment: Environment;
  /** Whether it was there already, with the same bundle. */
  existed: boolean;
}

/**
 * @throws E_DEPLOY_*; the reason of the signal. Whatever is thrown, what was half made is destroyed, or
 *   `onStep` was told that it could not be.
 */
export async function deploy(
  engine: Engine,
  deployment: Deployment,
  { signal, onStep }: Watching,
): Promise<Deployed> {
  const { name, timeout } = deployment;
  engine.redactor.hide(deployment.secrets.values());
  const bounds = limit(timeout * 1000, signal);
  const progress: Progress = {
    isBegun: false,
    at: "the orchestrator does not answer",
    until: Date.now() + timeout * 1000,
  };
  engine.onWait = (line) => {
    progress.at = line;
    onStep(line);
  };
  const watching = { signal: bounds.signal, onStep };
  let bundle: Awaited<ReturnType<Deployment["offer"]>> | undefined;
  try {
    const there = await find(engine, name, { signal: bounds.signal });
    if (there !== undefined) {
      await requireSame(engine, deployment, there, bounds.signal);
      return { environment: there, existed: true };
    }
    bundle = await deployment.offer();
    const made = await make(engine, deployment, bundle.url, progress, watching);
    const environment = deployment.wait
      ? await waitUntilUp(engine, name, made, progress, watching)
      : made;
    return { environment, existed: false };
  } catch (cause) {
    // Before what was made is undone, which may take as long as it will: what failed in time is said.
    const isLate = bounds.isLate();
    // What has no room for it knows of no machine, or of the one that it could not place.
    const looks = isFailure(cause, "E_DEPLOY_NO_ROOM") ? 1 : 3;
    if (progress.isBegun) await undo(engine, deployment, looks, onStep);
    throw isLate ? (progress.lost ?? errors.timeout(name, timeout, progress.at)) : cause;
  } finally {
    bounds.release();
    await bundle?.close();
  }
}

/** @throws E_DEPLOY_EXISTS where what is there already is not what was asked for */
async function requireSame(
  engine: Engine,
  { name, sha256 }: Deployment,
  there: Environment,
  signal: AbortSignal,
): Promise<void> {
  if (there.state !== "running")
    throw errors.exists(name, `which is ${engine.redactor.line(there.state)}`);
  let digest: string;
  try {
    const { stdout } = await exec(engine, there, digestCommand(name), { again: true, signal });
    digest = stdout.trim();
  } catch (cause) {
    const why = whyNoCommands(cause);
    if (why === undefined) throw cause;
    throw errors.exists(name, `and it cannot be asked which bundle it runs: ${why}`);
  }
  if (digest !== sha256) throw errors.exists(name, "which runs another bundle");
}

/** Nothing was done of what is answered so: whatever has the name was made by somebody else meanwhile. */
const UNTOUCHED = [
  "E_DEPLOY_BUSY",
  "E_DEPLOY_EXISTS",
  "E_DEPLOY_FORBIDDEN",
  "E_DEPLOY_REFUSED",
  "E_DEPLOY_TOKEN",
  "E_DEPLOY_TOO_LARGE",
  "E_DEPLOY_UNSUPPORTED",
] as const;

/** Makes it. An answer that is lost is no failure yet. */
async function make(
  engine: Engine,
  deployment: Deployment,
  url: string,
  progress: Progress,
  { signal, onStep }: Watching,
): Promise<Environment> {
  const { name, timeout } = deployment;
  const over = new AbortController();
  const end = () => over.abort();
  signal.addEventListener("abort", end, { once: true });
  const watch = watchStates(engine, name, over.signal, onStep);
  progress.isBegun = true;
  try {
    // The signal is earlier.
    const patience = timeout * 1000 + PACE;
    return await create(engine, createRequest(deployment, url), { patience, signal });
  } catch (cause) {
    progress.isBegun = !UNTOUCHED.some((code) => isFailure(cause, code));
    if (isFailure(cause, "E_DEPLOY_SERVER")) throw scriptWords(name, cause);
    if (!isFailure(cause, "E_DEPLOY_UNREACHABLE") || signal.aborted) throw cause;
    onStep("the answer was lost; the orchestrator is asked what became of it");
    return await findMade(engine, deployment, cause, progress, { signal, onStep });
  } finally {
    signal.removeEventListener("abort", end);
    end();
    await watch;
  }
}

/** The orchestrator's word for a script that failed, in ours. */
function scriptWords(name: string, cause: unknown): unknown {
  const [, status] = /startup script: .*exit (\d+)/.exec((cause as Error).message) ?? [];
  const meaning = status === undefined ? undefined : scriptFailure(Number(status));
  return meaning === undefined ? cause : errors.failed(name, meaning);
}
