/** What is worth another try at a registry, and when. */
import { setTimeout } from "node:timers/promises";
import type { Answer } from "./transport.ts";

/** Tries of one request, the first included. */
export const ATTEMPTS = 5;
/** Before the second try; each later one waits twice as long, ms. */
const FIRST_WAIT = 400;
/** A registry that wants to be left alone for longer gets no further request, ms. */
const MAX_WAIT = 120_000;

const PASSING = [408, 429, 500, 502, 503, 504];
/** Another try a moment later may go well; of any other failure it meets the same. */
const CUT =
  /^(ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EAI_AGAIN|HPE_\w+|UND_ERR_(SOCKET|\w+_TIMEOUT|\w+_MISMATCH))$/;

/** Whether a status says that it may be another one soon. */
export const isPassing = (status: number): boolean => PASSING.includes(status);

/** The code of what ended a connection; "" where it has none. */
export function codeOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return codeOf(cause.errors[0]);
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}

/** Whether something of the network failed that may work a moment later. */
export const isCut = (cause: unknown): boolean => CUT.test(codeOf(cause));

/** How long a registry asks to be left alone, ms. */
export const askedWait = (answer: Answer): number | undefined =>
  retryAfter(answer.header("retry-after"));

/** Retry-After (RFC 9110, 10.2.3): seconds or a date; ms. What is neither says nothing. */
export function retryAfter(value: string | null | undefined): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/**
 * Time until another try, or undefined when there shall be none.
 *
 * @param tries that were made
 * @param asked what the registry wants
 */
export function waitBefore(tries: number, asked?: number): number | undefined {
  if (tries >= ATTEMPTS || (asked ?? 0) > MAX_WAIT) return undefined;
  // Builds that failed together shall not come again together.
  const wait = FIRST_WAIT * 2 ** (tries - 1) * (0.5 + Math.random() / 2);
  return Math.max(wait, asked ?? 0);
}

/** @throws the reason of the signal */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, signal && { signal });
  } catch {
    // It has words of its own for what was aborted.
    throw signal?.reason;
  }
}
