/**
 * Requests to an orchestrator, typed by its own description: with the token, in time, tried again where
 * that changes nothing. Answers are read by read-answer.ts, and what failed is said by failures.ts and
 * network-failures.ts.
 */
import createClient, { type Client } from "openapi-fetch";
import { Agent, type Dispatcher, EnvHttpProxyAgent, fetch, Request } from "undici";
import type { paths } from "../generated/fuse-api.ts";
import { version } from "../generated/spec.ts";
import { isLoopback } from "../oci/registry/hosts.ts";
import { isCut, pause, retryAfter, waitBefore } from "../oci/registry/retry.ts";
import { shownAddress } from "./address.ts";
import { credentialsFile, type Token } from "./credentials.ts";
import * as errors from "./deploy-errors.ts";
import { type Asked, failureOf, saidIn } from "./failures.ts";
import { limit } from "./limit.ts";
import { isNoHttp, isOurs, networkCause, networkFailure } from "./network-failures.ts";
import { isDeep, kindOf, readAnswer } from "./read-answer.ts";
import type { Redactor } from "./secrets.ts";

/** How long there may be no connection, and no answer to what takes no work, ms. */
const PATIENCE = 30_000;
/** What may be another answer soon. */
const PASSING = [429, 502, 503, 504];
/** Waits that are shorter are not worth a word, ms. */
const SHORT = 5000;

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
        wait = isPassing
          ? waitBefore(tries, retryAfter(answered.response.headers.get("retry-after")))
          : undefined;
        if (wait === undefined) throw this.#failure(answered, asked);
      } catch (cause) {
        if (isOurs(cause) || signal?.aborted) throw cause;
        const isLate = bounds.isLate();
        const mayPass = again && !isLate && isCut(networkCause(cause)) && !isNoHttp(cause);
        wait = mayPass ? waitBefore(tries) : undefined;
        const more = { late: isLate ? patience : 0, doubt: asked.doubt };
        if (wait === undefined) throw networkFailure(this.shown, cause, more);
      } finally {
        bounds.release();
      }
      if (wait >= SHORT) this.onWait(`the orchestrator asks to wait ${Math.ceil(wait / 1000)} s`);
      await pause(wait, signal);
    }
  }

  #failure({ error, response }: Answered<unknown>, asked: Asked): Error {
    const { status } = response;
    if (status === 401) return errors.token(this.shown, this.#token?.from, credentialsFile());
    const { code, message } = saidIn(error);
    return failureOf({ status, code, message: this.redactor.line(message) }, asked);
  }

  async #fetch(request: Request): Promise<globalThis.Response> {
    const response = await fetch(request, { dispatcher: this.#dispatcher, redirect: "manual" });
    return readAnswer(response, this.shown, request.headers.get("accept"));
  }

  /** Ends what is still going on. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }
}
