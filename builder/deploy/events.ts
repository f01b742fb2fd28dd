/**
 * What happens to an environment, as it happens: Server-Sent Events, by `streamEnvironmentEvents` of the
 * orchestrator's description. A stream that breaks off is begun again.
 */
import { createParser } from "eventsource-parser";
import type { components } from "../generated/fuse-api.ts";
import { isCut, pause, waitBefore } from "../oci/registry/retry.ts";
import { checked } from "./answers.ts";
import type { Engine } from "./client.ts";
import * as errors from "./deploy-errors.ts";
import { networkFailure } from "./network-failures.ts";
import { EVENTS, isDeep } from "./read-answer.ts";

export type EnvironmentEvent = components["schemas"]["EnvironmentEvent"];

/** A line comes every 15 s, if only a comment: three that are missing are a connection that is dead, ms. */
const SILENCE = 45_000;
/** What held for so long was no failure from the beginning, ms. */
const STEADY = 10_000;
/** Characters of one event. */
const MAX_EVENT = 1 << 20;
/** After these nothing happens any more. */
const TERMINAL = ["destroyed", "failed"];

export interface EventOptions {
  signal?: AbortSignal | undefined;
  /** Is told that the stream broke off and is begun again. */
  onReconnect?: (why: string) => void;
  /** For tests, ms. */
  silence?: number;
}

/**
 * Events from now on, the first is the state that it is in. Ends when it has ended, and when it is gone
 * after a stream broke off.
 *
 * @param id as the orchestrator calls it @param name as people do
 * @throws E_DEPLOY_*; the reason of `signal`
 */
export async function* environmentEvents(
  engine: Engine,
  id: string,
  name: string,
  { signal, onReconnect, silence = SILENCE }: EventOptions = {},
): AsyncGenerator<EnvironmentEvent> {
  let last: EnvironmentEvent | undefined;
  for (let tries = 1; ; tries++) {
    const begun = Date.now();
    try {
      for await (const event of once(engine, id, name, {
        last: last?.id || undefined,
        signal,
        silence,
      })) {
        // What begins again begins with the state that is known already, or with all that was before it.
        if (last !== undefined && isKnown(event, last)) continue;
        tries = 1;
        last = { ...event, id: IDENTIFIER.test(event.id) ? event.id : (last?.id ?? "") };
        yield event;
        if (TERMINAL.includes(event.state)) return;
      }
    } catch (cause) {
      if (signal?.aborted) throw cause;
      const { code } = cause as { code?: string };
      // It went while nobody looked.
      if (last !== undefined && code === "E_DEPLOY_NOT_FOUND") return;
      if (Date.now() - begun > STEADY) tries = 1;
      const mayPass = code === "E_DEPLOY_UNREACHABLE" || code === "E_DEPLOY_SERVER" || isCut(cause);
      if (!mayPass) throw cause;
      const wait = waitBefore(tries);
      if (wait === undefined) throw cause;
      onReconnect?.((cause as Error).message);
      await pause(wait, signal);
      continue;
    }
    // It ended between two events, as a proxy ends what lasts.
    if (Date.now() - begun > STEADY) tries = 1;
    const wait = waitBefore(tries);
    if (wait === undefined) {
      throw errors.unreachable(engine.shown, "the stream of events ends again and again");
    }
    onReconnect?.("the stream ended");
    await pause(wait, signal);
  }
}

/** Whether an event says what is known already. A terminal one is never old: with it the stream ends. */
function isKnown(event: EnvironmentEvent, last: EnvironmentEvent): boolean {
  const isSame = last.state === event.state && last.updated_at === event.updated_at;
  const isOld = Date.parse(event.updated_at) < Date.parse(last.updated_at);
  return isSame || (isOld && !TERMINAL.includes(event.state));
}

interface Once {
  last: string | undefined;
  signal: AbortSignal | undefined;
  silence: number;
}

/** One connection, until it ends. */
async function* once(
  engine: Engine,
  vmId: string,
  name: string,
  { last, signal, silence }: Once,
): AsyncGenerator<EnvironmentEvent> {
  // Of an abort that was before it a listener hears nothing.
  signal?.throwIfAborted();
  const quiet = new AbortController();
  const end = () => quiet.abort();
  signal?.addEventListener("abort", end, { once: true });
  const open = (api: Parameters<Parameters<Engine["call"]>[1]>[0]) =>
    api.GET("/v1/environments/{vmId}/events", {
      params: { path: { vmId }, query: last === undefined ? {} : { last_event_id: last } },
      headers: {
        accept: EVENTS,
        ...(last !== undefined && { "last-event-id": last }),
      },
      parseAs: "stream",
      // Not that of the call: that one is over when the stream has begun.
      signal: quiet.signal,
    });
  let timer: NodeJS.Timeout | undefined;
  try {
    const body = await engine.call({ shown: name, what: "environment" }, open, {
      again: false,
      // A stream that does not begin is as silent as one that stops.
      patience: silence,
      signal: quiet.signal,
    });
    if (!(body instanceof ReadableStream)) {
      throw errors.answer(engine.shown, "it gives no stream of events");
    }
    timer = setTimeout(end, silence);
    const found: string[] = [];
    const parser = createParser({ onEvent: ({ data }) => found.push(data) });
    const decoder = new TextDecoder();
    let unread = 0;
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    // The request may not hear of its signal: see limit.ts.
    quiet.signal.addEventListener("abort", () => reader.cancel().catch(() => {}), { once: true });
    for (;;) {
      const { done, value } = await reader.read();
      if (quiet.signal.aborted) throw quiet.signal.reason;
      if (done) break;
      clearTimeout(timer);
      timer = setTimeout(end, silence);
      parser.feed(decoder.decode(value, { stream: true }));
      unread = found.length > 0 ? 0 : unread + value.length;
      if (unread > MAX_EVENT) throw errors.answer(engine.shown, "an event has no end");
      for (const data of found.splice(0)) yield eventOf(data, engine);
    }
  } catch (cause) {
    if (quiet.signal.aborted && !signal?.aborted) {
      throw errors.unreachable(engine.shown, `nothing comes for ${silence / 1000} s`, cause);
    }
    if (signal?.aborted) throw signal.reason;
    throw networkFailure(engine.shown, cause);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
    quiet.abort();
  }
}

/** What stands in a header as it is: what has another identifier is not gone on from. */
const IDENTIFIER = /^[\x21-\x7e]{1,200}$/;

/** @throws E_DEPLOY_ANSWER */
function eventOf(data: string, engine: Engine): EnvironmentEvent {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    throw errors.answer(engine.shown, "an event is no JSON", {
      actual: engine.redactor.line(data, 100),
    });
  }
  if (isDeep(value)) throw errors.answer(engine.shown, "an event is nested too deeply");
  return checked("event", value, engine);
}
