/**
 * Reading of what an orchestrator answers: nothing is followed, and nothing is longer or deeper than its interface
 * has.
 */
import { Headers, Response } from "undici";
import * as errors from "./deploy-errors.ts";

/** The type of a stream of events. */
export const EVENTS = "text/event-stream";
/** Of answers that are not streams, bytes. */
export const MAX_ANSWER = 16 << 20;
/** Of lists and objects in each other; the interface has five, and what prints them calls itself for each. */
const MAX_DEPTH = 64;
const REDIRECTS = [300, 301, 302, 303, 307, 308];

/** An answer that is longer than any of the interface. */
export class LongAnswer extends Error {}

/**
 * Nothing is followed: a token is for one place. What is not a stream is read whole, and has a limit.
 *
 * @param shown for messages: the orchestrator's address
 * @param accept what was asked for, a type
 * @throws E_DEPLOY_ANSWER, LongAnswer
 */
export async function readAnswer(
  response: Response,
  shown: string,
  accept: string | null,
): Promise<globalThis.Response> {
  const { status, ok } = response;
  if (REDIRECTS.includes(status)) {
    await response.body?.cancel();
    throw errors.answer(shown, "it leads to another place, where no token is sent", {
      actual: `status ${status}`,
      hint: "Name the place that the orchestrator itself is at in --to.",
    });
  }
  if (ok && accept === EVENTS) {
    if (isOf(response, EVENTS)) return response as unknown as globalThis.Response;
    await response.body?.cancel();
    throw errors.answer(shown, "it gives no stream of events");
  }
  const body = await whole(response);
  if (status < 200 || status > 599) {
    throw errors.answer(shown, "its answer has a status that HTTP does not have", {
      actual: `status ${status}`,
    });
  }
  const headers = new Headers(response.headers);
  // What a connection that was cut leaves is not taken for the whole.
  headers.set("content-length", `${body.length}`);
  const isNone = body.length === 0 || [204, 205, 304].includes(status);
  const answered = new Response(isNone ? null : body, { status, headers });
  return answered as unknown as globalThis.Response;
}

/** Whether an answer says of itself that it is of a type, with or without parameters. */
export const isOf = (
  { headers }: { headers: { get(name: string): string | null } },
  type: string,
) => headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() === type;

/** Whether a value of JSON is nested deeper than any of the interface. */
export function isDeep(value: unknown, left = MAX_DEPTH): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value).some((one) => isDeep(one, left - 1));
}

/** What there is in place of an object, in words. */
export function kindOf(data: unknown): string {
  if (data === undefined) return "nothing";
  if (data === null || typeof data === "boolean") return `${data}`;
  if (typeof data === "string") return "a text";
  if (typeof data === "number") return "a number";
  return Array.isArray(data) ? "a list" : "one that is nested too deeply";
}

/** @throws LongAnswer */
async function whole(response: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += (part as Uint8Array).length;
    if (length > MAX_ANSWER) throw new LongAnswer();
    parts.push(part as Uint8Array);
  }
  return Buffer.concat(parts);
}
