/** What is asked of environments, which are Fuse's machines, by the name that a deployment has. */
import { BundleError } from "../errors.ts";
import type { components } from "../generated/fuse-api.ts";
import { checked } from "./answers.ts";
import type { CallOptions, Engine } from "./client.ts";
import * as errors from "./deploy-errors.ts";
import { isOf } from "./read-answer.ts";

type Schemas = components["schemas"];
export type Environment = Schemas["Environment"];
export type CreateRequest = Schemas["CreateEnvironmentRequest"];
export type Snapshot = Schemas["Snapshot"];
export type ExecResult = Schemas["ExecEnvironmentResponse"];

/** A checkpoint copies a machine's memory and disk, and a drain waits for what runs there, ms. */
const LONG = 600_000;
/** Types of Prometheus' text format. */
const METRICS = ["text/plain", "application/openmetrics-text"];
/** Between the limit of a command in a machine and that of the request, ms. */
const SLACK = 30_000;

const environment = (shown: string) => ({ shown, what: "environment" });

/** What to do where the answer to what changes something was lost. */
const doubts = {
  exec: "The command may have run, or still run, in the machine: look there before it is given again.",
  drain:
    "It may be draining all the same, as `bundle deploy status NAME` shows: then go on with `bundle deploy destroy NAME`.",
  fork: "It may have been made all the same: `bundle deploy list` shows it, and `bundle deploy destroy` ends it.",
  snapshot:
    "It may have been made all the same: look with `bundle deploy list --snapshots` before another is made.",
  restore:
    "It may have been done all the same, or in part: `bundle deploy list --snapshots` shows how it stands with the snapshot. It may be restored again.",
} as const;

/** Whether a failure is of this code. */
export const isFailure = (cause: unknown, code: BundleError["code"]): boolean =>
  cause instanceof BundleError && cause.code === code;

/** Why no command runs in a machine, where that is what a failure says. */
export function whyNoCommands(cause: unknown): string | undefined {
  if (isFailure(cause, "E_DEPLOY_FORBIDDEN")) return "only the operator's token may run commands";
  if (isFailure(cause, "E_DEPLOY_UNSUPPORTED")) return "its hosts run no commands in machines";
  return undefined;
}

export async function list(engine: Engine, options: CallOptions = {}): Promise<Environment[]> {
  const answer = await engine.get(
    { shown: engine.shown },
    (api, signal) => api.GET("/v1/environments", { signal }),
    options,
  );
  return checkedList("environment", answer.environments, engine);
}

function checkedList<K extends "environment" | "snapshot">(
  what: K,
  found: unknown,
  engine: Engine,
) {
  // Go has null for a list of none.
  if (found !== null && !Array.isArray(found)) {
    throw errors.answer(engine.shown, "its list is none of its interface");
  }
  return ((found ?? []) as unknown[]).map((one) => checked(what, one, engine));
}

/** The one of a name; undefined: there is none. */
export async function find(
  engine: Engine,
  name: string,
  options: CallOptions = {},
): Promise<Environment | undefined> {
  const answer = await engine.get(
    { shown: name },
    (api, signal) => api.GET("/v1/environments", { params: { query: { task_id: name } }, signal }),
    options,
  );
  // An orchestrator that knows no filters gives all.
  return checkedList("environment", answer.environments, engine).find(
    ({ task_id: task }) => task === name,
  );
}

/**
 * The same, by its name or by the identifier that the orchestrator gave it: forks have no other.
 *
 * @throws E_DEPLOY_NOT_FOUND
 */
export async function get(
  engine: Engine,
  name: string,
  options: CallOptions = {},
): Promise<Environment> {
  const named = await find(engine, name, options);
  if (named !== undefined) return named;
  const path = { vmId: name };
  const answer = await engine.get(
    environment(name),
    (api, signal) => api.GET("/v1/environments/{vmId}", { params: { path }, signal }),
    options,
  );
  return checked("environment", answer, engine);
}

export async function create(
  engine: Engine,
  body: CreateRequest,
  options: CallOptions,
): Promise<Environment> {
  const answer = await engine.get(
    { shown: body.task_id, what: "host", isNew: true, takesRoom: true },
    (api, signal) => api.POST("/v1/environments", { body, signal }),
    { ...options, again: false },
  );
  return checked("environment", answer, engine);
}

/** @returns false where it was gone already */
export async function destroy(
  engine: Engine,
  { id: vmId, task_id: task }: Pick<Environment, "id" | "task_id">,
  options: CallOptions = {},
): Promise<boolean> {
  try {
    await engine.done(
      environment(task || vmId),
      (api, signal) =>
        api.DELETE("/v1/environments/{vmId}", { params: { path: { vmId } }, signal }),
      { patience: LONG, ...options },
    );
    return true;
  } catch (cause) {
    // An earlier try may have been heard after all.
    if (isFailure(cause, "E_DEPLOY_NOT_FOUND")) return false;
    throw cause;
  }
}

/** Runs a command in a machine. That it fails is an answer too. */
export async function exec(
  engine: Engine,
  { id: vmId, task_id: task }: Environment,
  cmd: string[],
  { timeout = 60_000, ...options }: CallOptions & { timeout?: number } = {},
): Promise<ExecResult> {
  const doubt = options.again ? undefined : doubts.exec;
  const answer = await engine.get(
    { ...environment(task || vmId), doubt },
    (api, signal) =>
      api.POST("/v1/environments/{vmId}", {
        params: { path: { vmId }, query: { action: "exec" } },
        body: { cmd, timeout_ms: timeout },
        signal,
      }),
    { patience: timeout + SLACK, again: false, ...options },
  );
  if ("exit_code" in answer && typeof answer.exit_code === "number") {
    const { stdout, stderr } = answer;
    if (typeof stdout === "string" && typeof stderr === "string") return answer;
  }
  throw errors.answer(engine.shown, "what it says of a command is none of its interface", {
    hint: doubt,
  });
}

export async function drain(engine: Engine, { id: vmId, task_id: task }: Environment) {
  const answer = await engine.getOrNothing(
    { ...environment(task || vmId), doubt: doubts.drain },
    (api, signal) =>
      api.POST("/v1/environments/{vmId}", {
        params: { path: { vmId }, query: { action: "drain" } },
        signal,
      }),
    { patience: LONG, again: false },
  );
  if (answer !== undefined) checked("environment", answer, engine, doubts.drain);
}

/** @returns undefined where it is made, and the orchestrator says nothing of it */
export async function fork(
  engine: Engine,
  { id: vmId, task_id: task }: Environment,
  { snapshot, comment }: { snapshot: string | undefined; comment: string | undefined },
): Promise<Environment | undefined> {
  const made = await engine.getOrNothing(
    { ...environment(task || vmId), takesRoom: true, doubt: doubts.fork },
    (api, signal) =>
      api.POST("/v1/environments/{vmId}", {
        params: { path: { vmId }, query: { action: "fork" } },
        body: {
          ...(snapshot !== undefined && { reuse_snapshot_id: snapshot }),
          ...(comment !== undefined && { comment }),
        },
        signal,
      }),
    { patience: LONG, again: false },
  );
  return made && checked("environment", made, engine, doubts.fork);
}

export async function takeSnapshot(
  engine: Engine,
  { id: vmId, task_id: task }: Environment,
  comment: string | undefined,
): Promise<Snapshot> {
  const answer = await engine.get(
    { ...environment(task || vmId), doubt: doubts.snapshot },
    (api, signal) =>
      api.POST("/v1/environments/{vmId}/snapshots", {
        params: { path: { vmId } },
        body: comment === undefined ? {} : { comment },
        signal,
      }),
    { patience: LONG, again: false },
  );
  return checked("snapshot", answer, engine, doubts.snapshot);
}

/** Of one that nothing else was made of. */
export async function deleteSnapshot(engine: Engine, snapshotId: string): Promise<void> {
  await engine.done(
    { shown: snapshotId, what: "snapshot" },
    (api, signal) =>
      api.DELETE("/v1/snapshots/{snapshotId}", { params: { path: { snapshotId } }, signal }),
    { patience: LONG },
  );
}

export async function snapshots(engine: Engine): Promise<Snapshot[]> {
  const answer = await engine.get({ shown: engine.shown }, (api, signal) =>
    api.GET("/v1/snapshots", { signal }),
  );
  return checkedList("snapshot", answer.snapshots, engine);
}

/** Brings the machine that a snapshot is of back to it. */
export async function restore(engine: Engine, snapshotId: string): Promise<void> {
  await engine.done(
    { shown: snapshotId, what: "snapshot", doubt: doubts.restore },
    (api, signal) =>
      api.POST("/v1/snapshots/{snapshotId}", {
        params: { path: { snapshotId }, query: { action: "restore" } },
        signal,
      }),
    { patience: LONG, again: false },
  );
}

/** Prometheus' text format. */
export async function metricsText(engine: Engine): Promise<string> {
  const text = await engine.call({ shown: engine.shown }, async (api, signal) => {
    const answered = await api.GET("/metrics", { parseAs: "text", signal });
    const { response } = answered;
    // A page for people is a text too.
    const isText = METRICS.some((type) => isOf(response, type));
    if (response.ok && !isText) throw errors.answer(engine.shown, "it gives no metrics");
    return answered;
  });
  return text ?? "";
}
