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
/** What may be another answer soon; 503 is about room, and none comes of asking again at once. */
const PASSING = [429, 502, 504];

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

export class Engine {
  readonly url: URL;
  readonly shown: string;
  readonly redactor: Redactor;
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
    const { data, response } = await this.#answer(asked, send, options);
    if (typeof data === "object" && data !== null && !Array.isArray(data)) return data;
    throw errors.answer(this.shown, "its answer is none of its interface", {
      expected: "JSON, an object",
      actual: `status ${response.status} and ${typeof data === "string" ? "a text" : "nothing"}`,
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
        wait = again && !isLate && isCut(networkCause(cause)) ? waitBefore(tries) : undefined;
        if (wait === undefined) throw this.failure(cause, isLate ? patience : undefined);
      } finally {
        bounds.release();
      }
      await pause(wait, signal ?? new AbortController().signal);
    }
  }

  /**
   * What went wrong with the network or with the answer, as people can read it.
   *
   * @param late how long was waited, ms, where that was too long
   */
  failure(thrown: unknown, late?: number): unknown {
    if (isOurs(thrown)) return thrown;
    if (late !== undefined) {
      return errors.unreachable(this.shown, `there is no answer in ${late / 1000} s`, thrown);
    }
    const cause = networkCause(thrown);
    if (thrown instanceof SyntaxError) {
      return errors.answer(this.shown, "its answer is no JSON");
    }
    if (cause instanceof Error && cause.message === BAD_PORT) {
      return errors.unreachable(
        this.shown,
        "HTTP clients refuse this port, which is that of another protocol",
        cause,
      );
    }
    if (codeOf(cause) === "") return thrown;
    return errors.unreachable(this.shown, networkReason(cause), cause);
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
    const { status } = response;
    if (status >= 300 && status < 400) {
      await response.body?.cancel();
      throw errors.answer(this.shown, "it leads to another place, where no token is sent", {
        actual: `status ${status}`,
        hint: "Name the place that the orchestrator itself is at in --to.",
      });
    }
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
    if (isStream || response.body === null) return response as unknown as globalThis.Response;
    const body = await this.#whole(response);
    const headers = new Headers(response.headers);
    // What a connection that was cut leaves is not taken for the whole.
    headers.set("content-length", `${body.length}`);
    const whole = new Response(body.length === 0 ? null : body, { status, headers });
    return whole as unknown as globalThis.Response;
  }

  async #whole(response: Response): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of response.body ?? []) {
      length += (part as Uint8Array).length;
      if (length > MAX_ANSWER) {
        throw errors.answer(this.shown, "its answer is too long", {
          expected: `at most ${MAX_ANSWER} bytes`,
          actual: "more",
        });
      }
      parts.push(part as Uint8Array);
    }
    return Buffer.concat(parts);
  }

  /** Ends what is still going on. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }
}

/** A failure that has been put into words already. */
const isOurs = (cause: unknown): boolean => codeOf(cause).startsWith("E_");

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
