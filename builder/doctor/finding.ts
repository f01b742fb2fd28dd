/** What the doctor finds: a table of the runtime's, as it prints it. */
import { type Cause, causes, type Strategy, strategies } from "../generated/spec.ts";

/** What became of one way to mount. */
export interface Finding {
  /** Name of the way. */
  strategy: Strategy;
  /** Whether the files of the image could be read. */
  works: boolean;
  /** Milliseconds to the mounted image, or to the refusal. */
  milliseconds: number;
  /** Of one that works: whether the app is in the caller's user namespace, or in one that is made. */
  userNamespace?: "inherited" | "new";
  /** What it is refused for, by a name that stays. */
  cause?: Cause;
  /** Why it is refused, in the runtime's words. */
  reason?: string;
  /** What the user, or whoever runs the machine, can do about it. */
  advice?: string;
}

/** Whether it has the shape of one: what another user's process has printed may be anything. */
export function isFinding(value: unknown): value is Finding {
  if (typeof value !== "object" || value === null) return false;
  const { strategy, works, milliseconds, cause, reason, advice } = value as Record<string, unknown>;
  const isText = (text: unknown) => text === undefined || typeof text === "string";
  return (
    strategies.some((name) => name === strategy) &&
    typeof works === "boolean" &&
    typeof milliseconds === "number" &&
    (cause === undefined || causes.some((name) => name === cause)) &&
    isText(reason) &&
    isText(advice)
  );
}
