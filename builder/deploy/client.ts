/**
 * Requests to an orchestrator, typed by its own description: with the token, in time, tried again where
 * that changes nothing, and failures as ours.
 */
import createClient, { type Client } from "openapi-fetch";
import {
  Agent,
  type Dispatcher,
  EnvHttpProxyAgent,
  fetch,
  Headers,
  Request,
  Response,
} from "undici";
import { systemReason } from "../errors.ts";
import type { paths } from "../generated/fuse-api.ts";
import { version } from "../generated/spec.ts";
import { isLoopback } from "../oci/registry/hosts.ts";
import { networkReason } from "../oci/registry/registry-errors.ts";
import { codeOf, isCut, pause, waitBefore } from "../oci/registry/retry.ts";
import { shownAddress } from "./address.ts";
import { credentialsFile, type Token } from "./credentials.ts";
import * as errors from "./deploy-errors.ts";
import { type Asked, failureOf } from "./failures.ts";
import { limit } from "./limit.ts";
import type { Redactor } from "./secrets.ts";

/** How long there may be no connection, and no answer to what takes no work, ms. */
const PATIENCE = 30_000;
/** Of answers that are not streams, bytes. */
const MAX_ANSWER = 16 << 20;
/** What may be another answer soon. */
const PASSING = [429, 502, 503, 504];
const REDIRECTS = [300, 301, 302, 303, 307, 308];
/** The type of a stream of events. */
export const EVENTS = "text/event-stream";
/** Of lists and objects in each other; the interface has five, and what prints them calls itself for each. */
const MAX_DEPTH = 64;
/** Waits that are shorter are not worth a word, ms. */
const SHORT = 5000;

/** Codes of what is no HTTP, has more headers than any, or is not packed as it says. */
const NO_HTTP = /^(HPE_\w+|UND_ERR_HEADERS_OVERFLOW|Z_\w+|ERR_BROTLI\w*|ERR__ERROR\w*|ZSTD_\w+)$/;

/** What fetch says of ports that the Fetch standard blocks (1, 25, 6000 and some eighty more). */
const BAD_PORT = "bad port";

/** What `openapi-fetch` gives. */
interface Answered<Data> {
  data?: Data;
  error?: unknown;
  response: globalThis.Response;
}

export interface CallOptions {
  /** How long the answer may take, ms. Default: 30 s. */
  patience?: number;
  /** Whether it does no harm to ask twice. Default: true. */
  again?: boolean;
  /** Ends this call alone. */
  signal?: AbortSignal | undefined;
}

export type Api = Client<paths>;

/** An answer that is longer than any of the interface. */
class LongAnswer extends Error {}

export class Engine {
  readonly url: URL;
  readonly shown: string;
  readonly redactor: Redactor;
  /** Is told where an orchestrator asks to be left alone for a while. */
  onWait: (line: string) => void = () => {};
  readonly #token: Token | undefined;
  readonly #dispatcher: Dispatcher;
  readonly #api: Api;

  /** @param url as `engineAddress` gives it */
  constructor(url: URL, token: Token | undefined, redactor: Redactor) {
    this.url = url;
    this.shown = shownAddress(url);
    this.redactor = redactor;
    this.#token = token;
    if (token !== undefined) redactor.hide([token.text]);
    // How long an answer may take is said by each call.
    const limits = { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: PATIENCE } };
    this.#dispatcher = isLoopback(url.host)
      ? new Agent(limits)
      : new EnvHttpProxyAgent({ ...limits, requestTls: { timeout: PATIENCE } });
    this.#api = createClient<paths>({
      baseUrl: this.shown,
      Request: Request as unknown as typeof globalThis.Request,
      fetch: (request) => this.#fetch(request as unknown as Request),
      headers: {
        "user-agent": `fuselage-bundle/${version}`,
        ...(token !== undefined && { authorization: `Bearer ${token.text}` }),
      },
    });
  }

  /**
   * Asks until there is an answer.
   *
   * @param send makes the request; `signal` is to be handed to it
   * @returns what it answers to a request that it takes; undefined where that is nothing
   * @throws E_DEPLOY_*; the reason of `signal` where that ended it
   */
  async call<Data>(
    asked: Asked,
    send: (api: Api, signal: AbortSignal) => Promise<Answered<Data>>,
    options: CallOptions = {},
  ): Promise<Data | undefined> {
    return (await this.#answer(asked, send, options)).data;
  }

  /** As `call`, for what answers with something in any case. */
  async get<Data>(
    asked: Asked,
    send: (api: Api, signal: AbortSignal) => Promise<Answered<Data>>,
    options: CallOptions = {},
  ): Promise<Data & object> {
    return this.#object(await this.#answer(asked, send, options), asked);
  }

  /** As `get`, for what may be done without a word: status 204, and undefined. */
  async getOrNothing<Data>(
    asked: Asked,
    send: (api: Api, signal: AbortSignal) => Promise<Answered<Data>>,
    options: CallOptions = {},
  ): Promise<(Data & object) | undefined> {
    const answered = await this.#answer(asked, send, options);
    return answered.response.status === 204 ? undefined : this.#object(answered, asked);
  }

  /** As `call`, for what is done without a word: whoever has one is no orchestrator. */
  async done<Data>(
    asked: Asked,
    send: (api: Api, signal: AbortSignal) => Promise<Answered<Data>>,
    options: CallOptions = {},
  ): Promise<void> {
    const { response } = await this.#answer(asked, send, options);
    if (response.status === 204) return;
    throw errors.answer(this.shown, "its answer is none of its interface", {
      expected: "status 204",
      actual: `status ${response.status}`,
      hint: asked.doubt,
    });
  }

  #object<Data>({ data, response }: Answered<Data>, asked: Asked): Data & object {
    const isObject = typeof data === "object" && data !== null && !Array.isArray(data);
    if (isObject && !isDeep(data)) return data;
    throw errors.answer(this.shown, "its answer is none of its interface", {
      expected: "JSON, an object",
      actual: `status ${response.status} and ${kindOf(data)}`,
      hint: asked.doubt,
    });
  }

  async #answer<Data>(
    asked: Asked,
    send: (api: Api, signal: AbortSignal) => Promise<Answered<Data>>,
    { patience = PATIENCE, again = true, signal }: CallOptions,
  ): Promise<Answered<Data>> {
    for (let tries = 1; ; tries++) {
      signal?.throwIfAborted();
      const bounds = limit(patience, signal);
      let wait: number | undefined;
      try {
        const answered = await Promise.race([send(this.#api, bounds.signal), bounds.ended]);
        if (answered.response.ok) return answered;
        const { status } = answered.response;
        // Nothing was done of what is refused by 429, whatever it was.
        const isPassing = again ? PASSING.includes(status) : status === 429;
        wait = isPassing ? waitBefore(tries, askedWait(answered.response)) : undefined;
        if (wait === undefined) throw this.#failure(answered, asked);
      } catch (cause) {
        if (isOurs(cause) || signal?.aborted) throw cause;
        const isLate = bounds.isLate();
        const mayPass = again && !isLate && isCut(networkCause(cause)) && !isNoHttp(cause);
        wait = mayPass ? waitBefore(tries) : undefined;
        const { doubt } = asked;
        if (wait === undefined) throw this.failure(cause, { late: isLate ? patience : 0, doubt });
      } finally {
        bounds.release();
      }
      if (wait >= SHORT) this.onWait(`the orchestrator asks to wait ${Math.ceil(wait / 1000)} s`);
      await pause(wait, signal ?? new AbortController().signal);
    }
  }

  /**
   * What went wrong with the network or with the answer, as people can read it.
   *
   * @param late how long was waited, ms, where that was too long
   * @param doubt what to do where the request may have been heard
   */
  failure(
    thrown: unknown,
    { late = 0, doubt }: { late?: number; doubt?: string | undefined } = {},
  ) {
    if (isOurs(thrown)) return thrown;
    const hint = { hint: doubt };
    if (late > 0) {
      const what = `there is no answer in ${late / 1000} s`;
      return errors.unreachable(this.shown, what, thrown, doubt);
    }
    const cause = networkCause(thrown);
    if (thrown instanceof SyntaxError) {
      return errors.answer(this.shown, "its answer is no JSON", hint);
    }
    if (thrown instanceof LongAnswer) {
      const sizes = { expected: `at most ${MAX_ANSWER} bytes`, actual: "more" };
      return errors.answer(this.shown, "its answer is too long", { ...sizes, ...hint });
    }
    if (isNoHttp(thrown)) {
      return errors.answer(this.shown, `its answer is no HTTP: ${systemReason(cause)}`, hint);
    }
    if (cause instanceof Error && cause.message === BAD_PORT) {
      return errors.unreachable(
        this.shown,
        "HTTP clients refuse this port, which is that of another protocol",
        cause,
      );
    }
    if (codeOf(cause) === "") return thrown;
    // Of what was never sent there is no doubt.
    const maybe = isCut(cause) ? doubt : undefined;
    return errors.unreachable(this.shown, networkReason(cause), cause, maybe);
  }

  #failure({ error, response }: Answered<unknown>, asked: Asked): Error {
    const { status } = response;
    if (status === 401) return errors.token(this.shown, this.#token?.from, credentialsFile());
    const isObject = typeof error === "object" && error !== null;
    const said =
      isObject && "error" in error ? (error.error as Record<string, unknown>) : undefined;
    const code = typeof said?.["code"] === "string" ? said["code"] : "";
    const message = typeof said?.["message"] === "string" ? said["message"] : "";
    return failureOf({ status, code, message: this.redactor.line(message) }, asked);
  }

  /** Nothing is followed: a token is for one place. What is not a stream is read whole, and has a limit. */
  async #fetch(request: Request): Promise<globalThis.Response> {
    const response = await fetch(request, { dispatcher: this.#dispatcher, redirect: "manual" });
    const { status, ok } = response;
    if (REDIRECTS.includes(status)) {
      await response.body?.cancel();
      throw errors.answer(this.shown, "it leads to another place, where no token is sent", {
        actual: `status ${status}`,
        hint: "Name the place that the orchestrator itself is at in --to.",
      });
    }
    if (ok && request.headers.get("accept") === EVENTS) {
      if (isOf(response, EVENTS)) return response as unknown as globalThis.Response;
      await response.body?.cancel();
      throw errors.answer(this.shown, "it gives no stream of events");
    }
    const body = await whole(response);
    if (status < 200 || status > 599) {
      throw errors.answer(this.shown, "its answer has a status that HTTP does not have", {
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

  /** Ends what is still going on. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }
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

function kindOf(data: unknown): string {
  if (typeof data === "string") return "a text";
  if (Array.isArray(data)) return "a list";
  return typeof data === "object" ? "one that is nested too deeply" : "nothing";
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

/** A failure that has been put into words already. */
const isOurs = (cause: unknown): boolean => codeOf(cause).startsWith("E_");

/** Whether what answered speaks no HTTP, or none that can be read. */
function isNoHttp(thrown: unknown): boolean {
  const cause = networkCause(thrown);
  return (
    NO_HTTP.test(codeOf(cause)) || (cause instanceof Error && cause.name === "HTTPParserError")
  );
}

/** What `fetch` wraps into a TypeError. */
function networkCause(thrown: unknown): unknown {
  return thrown instanceof TypeError && thrown.cause !== undefined ? thrown.cause : thrown;
}

/** Retry-After: seconds or a date; ms. */
function askedWait({ headers }: globalThis.Response): number | undefined {
  const text = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
