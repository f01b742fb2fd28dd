/** What an orchestrator answers, held against what its interface says of it; and what of it may be shown. */
import type { components } from "../generated/fuse-api.ts";
import type { Engine } from "./client.ts";
import * as errors from "./deploy-errors.ts";

type Schemas = components["schemas"];

/** A kind of value; what has a question mark may be missing, or null, as Go has it. */
type Kind = "string" | "string?" | "number" | "number?" | Shape | readonly [Shape];
interface Shape {
  readonly [field: string]: Kind;
}

/** Of the fields that are read here, as the description has them; others pass. */
const shapes = {
  environment: {
    ...({ id: "string", state: "string", task_id: "string?", host_id: "string?" } as const),
    ...({ created_at: "string", updated_at: "string", error: "string?" } as const),
    health: { state: "string", message: "string?" },
    spec: { cpus: "number?", ram_mb: "number?", region: "string?" },
    endpoints: [{ as: "string?", port: "number", url: "string" }],
  },
  snapshot: {
    ...({ id: "string", vm_id: "string?", task_id: "string?", state: "string?" } as const),
    ...({ size_bytes: "number?", created_at: "string", comment: "string?" } as const),
  },
  event: {
    ...({ id: "string?", vm_id: "string", state: "string" } as const),
    ...({ updated_at: "string", url: "string?", error: "string?" } as const),
  },
} satisfies Record<string, Shape>;

interface Answers {
  environment: Schemas["Environment"];
  snapshot: Schemas["Snapshot"];
  event: Schemas["EnvironmentEvent"];
}

/**
 * As it is: by these texts it is decided what is done.
 *
 * @param hint what to do where it is none, if that is another thing than usual
 * @throws E_DEPLOY_ANSWER with the name of the field that is of another type
 */
export function checked<K extends keyof Answers>(
  what: K,
  value: unknown,
  engine: Engine,
  hint?: string,
): Answers[K] {
  const wrong = strangeField(value, shapes[what], what);
  if (wrong === undefined) return withoutNulls(value) as Answers[K];
  throw errors.answer(engine.shown, `its ${what} is none of its interface`, {
    actual: `another ${wrong}`,
    hint,
  });
}

/** The first field that is of another kind; undefined: there is none. */
function strangeField(value: unknown, shape: Shape, name: string): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return name;
  for (const [field, kind] of Object.entries(shape)) {
    const found = (value as Record<string, unknown>)[field] ?? undefined;
    const wrong = strange(found, kind, `${name}.${field}`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function strange(value: unknown, kind: Kind, name: string): string | undefined {
  if (typeof kind === "string") {
    if (value === undefined) return kind.endsWith("?") ? undefined : name;
    return typeof value === kind.replace("?", "") ? undefined : name;
  }
  if (value === undefined) return undefined;
  if (!isList(kind)) return strangeField(value, kind, name);
  if (!Array.isArray(value)) return name;
  return value.map((one) => strangeField(one, kind[0], name)).find((wrong) => wrong !== undefined);
}

const isList = (kind: Shape | readonly [Shape]): kind is readonly [Shape] => Array.isArray(kind);

/** Go has null for what is missing. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, one]) => one !== null);
  return Object.fromEntries(fields.map(([name, one]) => [name, withoutNulls(one)]));
}

/** What is printed of an answer: its texts without what is secret. */
export function shown<T>(value: T, engine: Engine): T {
  return hidden(value, engine) as T;
}

function hidden(value: unknown, engine: Engine): unknown {
  if (typeof value === "string") return engine.redactor.text(value);
  if (Array.isArray(value)) return value.map((one) => hidden(one, engine));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, hidden(one, engine)]),
  );
}
