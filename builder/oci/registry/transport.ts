/**
 * Single requests over HTTP: certificates, proxies, how long the other side may say nothing. What an
 * answer means, redirects included, is for others to say.
 */
import { Readable } from "node:stream";
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { version } from "../../generated/spec.ts";
import { certificatesFor } from "./certificates.ts";
import { isLoopback } from "./hosts.ts";
import * as errors from "./registry-errors.ts";

export interface Request {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  url: URL;
  /** Names in lower case. */
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array;
}

export interface Answer {
  status: number;
  /** What asked for it. */
  url: URL;
  /** By its name in lower case; of one that came twice, the first. */
  header: (name: string) => string | undefined;
  /** To be read or discarded. */
  body: Dispatcher.ResponseData["body"];
}

/** How long there may be no connection, no answer, or hardly a byte of one, ms. */
const PATIENCE = 30_000;
/** Bytes that are sent at once: PATIENCE is for each. */
const PIECE = 64 << 10;
/** Less than that in PATIENCE is as good as nothing, bytes. */
const TRICKLE = 4096;
/** Bytes that are read of what nobody wants. */
const DISCARDED = 16 << 10;

export class Transport {
  readonly #patience: number;
  readonly #signal: AbortSignal;
  readonly #closed = new AbortController();
  readonly #dispatchers = new Map<string, Dispatcher>();

  constructor({ patience = PATIENCE, signal }: { patience?: number; signal?: AbortSignal } = {}) {
    this.#patience = patience;
    const closed = this.#closed.signal;
    this.#signal = signal === undefined ? closed : AbortSignal.any([signal, closed]);
  }

  /** What ends the work of whoever uses it. */
  get signal(): AbortSignal {
    return this.#signal;
  }

  /** @throws what the network says */
  async send({ method, url, headers = {}, body }: Request): Promise<Answer> {
    const answer = await request(url, {
      method,
      dispatcher: this.#dispatcher(url.host),
      headers: {
        "user-agent": `fuselage-bundle/${version}`,
        "accept-encoding": "identity",
        ...headers,
        ...(body !== undefined && { "content-length": `${body.length}` }),
      },
      ...(body !== undefined && { body: inPieces(body) }),
      signal: this.#signal,
    });
    // Whoever takes no interest in a body must not be ended by what happens to it.
    answer.body.on("error", () => {});
    const header = (name: string) => {
      const value = answer.headers[name];
      return Array.isArray(value) ? value[0] : value;
    };
    return { status: answer.statusCode, url, header, body: answer.body };
  }

  /** Each host has its own: certificates are for one. A proxy leads nowhere from this machine to itself. */
  #dispatcher(host: string): Dispatcher {
    this.#signal.throwIfAborted();
    let dispatcher = this.#dispatchers.get(host);
    if (dispatcher === undefined) {
      const tls = certificatesFor(host);
      const timeouts = { headersTimeout: this.#patience, bodyTimeout: this.#patience };
      const connect = { ...tls, timeout: this.#patience };
      dispatcher = isLoopback(host)
        ? new Agent({ ...timeouts, connect })
        : new EnvHttpProxyAgent({ ...timeouts, connect, requestTls: connect });
      this.#dispatchers.set(host, dispatcher);
    }
    return dispatcher;
  }

  /**
   * The bytes of an answer as they arrive.
   *
   * @throws what the network says, also where hardly a byte arrives
   */
  async *bytes({ body }: Answer): AsyncGenerator<Buffer> {
    let since = 0;
    let isTaken = false;
    const timer = setInterval(() => {
      if (since < TRICKLE && !isTaken) body.destroy(stalled());
      since = 0;
    }, this.#patience);
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        since += chunk.length;
        isTaken = true; // However long that takes, the other side cannot help it.
        yield chunk;
        isTaken = false;
      }
    } finally {
      clearInterval(timer);
      body.destroy();
    }
  }

  /**
   * The whole of a small answer.
   *
   * @throws E_REGISTRY_ANSWER where it is longer than `limit` bytes, else as `bytes`
   */
  async small(answer: Answer, limit: number): Promise<Buffer> {
    const announced = Number(answer.header("content-length") ?? 0);
    const parts: Buffer[] = [];
    let length = 0;
    if (announced > limit) discard(answer);
    else {
      for await (const chunk of this.bytes(answer)) {
        length += chunk.length;
        if (length > limit) break;
        parts.push(chunk);
      }
    }
    if (announced <= limit && length <= limit) return Buffer.concat(parts);
    throw errors.answer(withoutQuery(answer.url), "the answer is too long for what was asked", {
      expected: `at most ${limit} bytes`,
      actual: announced > limit ? `${announced}` : "more",
    });
  }

  /** Ends what is still going on, pauses between two tries too. */
  async close(): Promise<void> {
    this.#closed.abort();
    const all = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    await Promise.all(all.map((one) => one.destroy()));
  }
}

/**
 * The clock for an answer begins anew with every piece that the other side takes. With one buffer it would begin
 * when that is handed to the kernel, so that a slow way had to be through in that time.
 */
function inPieces(bytes: Uint8Array): Uint8Array | Readable {
  if (bytes.length <= PIECE) return bytes;
  function* pieces() {
    for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
  }
  return Readable.from(pieces(), { objectMode: false, highWaterMark: PIECE });
}

/** Takes no interest in a body; of a short one the connection is kept. */
export function discard({ body }: Answer): void {
  body.dump({ limit: DISCARDED }).catch(() => {});
}

/** As undici says it of an answer without a single byte. */
const stalled = () =>
  Object.assign(new Error("the answer stopped"), { code: "UND_ERR_BODY_TIMEOUT" });

/** An address for people: what stands behind a "?" may be a right to read. */
export const withoutQuery = (url: URL): string => `${url.origin}${url.pathname}`;
