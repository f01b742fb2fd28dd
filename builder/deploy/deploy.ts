/**
 * A bundle becomes a machine of an engine's that runs it, or nothing is left of the try.
 *
 * The orchestrator takes one request, which it answers when the machine is up and its first script is done:
 * that fetches the bundle, checks its digest and starts it. Meanwhile the machine is watched, and when that
 * request fails, or its answer is lost, the orchestrator is asked what became of it.
 */
import { setTimeout } from "node:timers/promises";
import {
  digestCommand,
  guestManifest,
  healthCommand,
  scriptFailure,
  startScript,
  tailCommand,
} from "../engines/fuse/guest.ts";
import { pause } from "../oci/registry/retry.ts";
import type { Engine } from "./client.ts";
import * as errors from "./deploy-errors.ts";
import {
  type CreateRequest,
  create,
  destroy,
  type Environment,
  exec,
  find,
  isFailure,
} from "./environments.ts";
import { environmentEvents } from "./events.ts";
import { limit } from "./limit.ts";

/** What is deployed, and how. */
export interface Deployment {
  /** A DNS label: what it is called at the engine. */
  name: string;
  /** Of the bundle: 64 hex digits. */
  sha256: string;
  /** Of the bundle, bytes. */
  size: number;
  arch: string;
  /** Offers the bundle, or says where it is offered; asked only where it is needed. */
  offer: () => Promise<{ url: string; close: () => Promise<void> }>;
  args: readonly string[];
  cpus: number;
  /** MiB. */
  memory: number;
  region?: string | undefined;
  labels: ReadonlyMap<string, string>;
  env: ReadonlyMap<string, string>;
  secrets: ReadonlyMap<string, string>;
  expose: readonly { port: number; as?: string }[];
  /** Seconds; undefined: as the engine has it. */
  ttl?: number | undefined;
  /** Whether to wait until the app runs and listens. */
  wait: boolean;
  /** For all of it, seconds. */
  timeout: number;
  /** For the script that fetches and starts the bundle, seconds. */
  startTimeout: number;
}

export interface Deployed {
  environment: Environment;
  /** Whether it was there already, with the same bundle. */
  existed: boolean;
}

export interface Watching {
  /** Ends the work; what was made is destroyed before it is over. */
  signal: AbortSignal;
  /** Is told what goes on. */
  onStep: (line: string) => void;
}

/** How often a state is asked for, ms. */
const PACE = 2000;
/** How long an orchestrator may take to start again, ms. */
const RESTART = 30_000;

/** How far it has come. */
interface Progress {
  /** Whether the orchestrator may have begun a machine. */
  isBegun: boolean;
  /** What is waited for, in words. */
  at: string;
  /** When it is too late, by the clock of this machine, ms. */
  until: number;
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
    const environment = deployment.wait ? await up(engine, name, made, progress, watching) : made;
    return { environment, existed: false };
  } catch (cause) {
    // What refuses the request knows of no machine.
    const isRefused = isFailure(cause, "E_DEPLOY_REFUSED") || isFailure(cause, "E_DEPLOY_NO_ROOM");
    if (progress.isBegun) await undo(engine, name, isRefused ? 1 : 3, onStep);
    throw bounds.isLate() ? errors.timeout(name, timeout, progress.at) : cause;
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
    if (isFailure(cause, "E_DEPLOY_FORBIDDEN") || isFailure(cause, "E_DEPLOY_UNSUPPORTED")) {
      throw errors.exists(name, "and this token may not ask which bundle it runs");
    }
    throw cause;
  }
  if (digest !== sha256) throw errors.exists(name, "which runs another bundle");
}

function requestFor(deployment: Deployment, url: string): CreateRequest {
  const { name, sha256, size, arch, args, cpus, memory, region, labels, env, secrets } = deployment;
  const { expose, ttl, startTimeout } = deployment;
  const ports = expose.map(({ port }) => port);
  const manifest = guestManifest(env, secrets.keys());
  return {
    task_id: name,
    spec: {
      cpus,
      ram_mb: memory,
      ...(region !== undefined && { region }),
      ...(labels.size > 0 && { labels: Object.fromEntries(labels) }),
      ...(ttl !== undefined && { max_runtime_seconds: ttl }),
    },
    manifest_inline: Buffer.from(manifest).toString("base64"),
    ...(secrets.size > 0 && { secrets: Object.fromEntries(secrets) }),
    startup_script: startScript({ name, url, sha256, size, arch, args }),
    startup_script_timeout_seconds: startTimeout,
    ...(expose.length > 0 && { expose: [...expose] }),
    healthcheck: {
      exec: healthCommand(name, ports),
      interval_seconds: 5,
      timeout_seconds: 5,
      retries: 3,
      start_period_seconds: 60,
    },
  };
}

/** Nothing was done of what is answered so: somebody else's has the name, or nobody was asked. */
const UNTOUCHED = [
  "E_DEPLOY_EXISTS",
  "E_DEPLOY_TOKEN",
  "E_DEPLOY_FORBIDDEN",
  "E_DEPLOY_BUSY",
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
    return await create(engine, requestFor(deployment, url), { patience, signal });
  } catch (cause) {
    progress.isBegun = !UNTOUCHED.some((code) => isFailure(cause, code));
    if (isFailure(cause, "E_DEPLOY_SERVER")) throw scriptWords(name, cause);
    if (!isFailure(cause, "E_DEPLOY_UNREACHABLE") || signal.aborted) throw cause;
    onStep("the answer was lost; the orchestrator is asked what became of it");
    return await found(engine, name, cause, progress.until, { signal, onStep });
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

/** Says in which states it is until it is over. It only shows: what fails here says nothing. */
async function watchStates(
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

/** What became of a request whose answer was lost. @param cause what cut it */
async function found(
  engine: Engine,
  name: string,
  cause: unknown,
  until: number,
  { signal, onStep }: Watching,
): Promise<Environment> {
  const end = Math.min(until - PACE / 2, Date.now() + RESTART);
  let there: Environment | undefined;
  while (there === undefined) {
    // What cut it says more than that it took long.
    if (Date.now() + PACE / 2 >= end) throw cause;
    await pause(PACE / 2, signal);
    there = await findAgain(engine, name, end, { signal, onStep });
  }
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

/** As `find`, of an orchestrator that may be starting again. @param end until when */
async function findAgain(
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

/** Waits until the app runs and listens. */
async function up(
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

/** Destroys what was half made, and says so. What was asked for may come into being while it is looked for. */
async function undo(
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
