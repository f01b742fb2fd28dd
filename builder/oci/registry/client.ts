/** Requests to one repository: with the right to make them, redirects followed, tried again. */
import type { BundleError } from "../../errors.ts";
import { Authorizer } from "./authorizer.ts";
import type { Endpoint } from "./endpoint.ts";
import * as errors from "./registry-errors.ts";
import { askedWait, codeOf, isCut, isPassing, pause, waitBefore } from "./retry.ts";
import { type Answer, discard, type Request, type Transport, withoutQuery } from "./transport.ts";

export interface Call {
  method: Request["method"];
  /** Below the repository, "manifests/latest"; or an address that the registry gave. */
  to: string | URL;
  headers?: Readonly<Record<string, string>>;
  /** What is sent, anew for each try. */
  body?: () => Uint8Array;
  /** Other repositories that are read from. */
  from?: readonly string[];
  /** false: one try, which throws what the network says. Default true. */
  again?: boolean;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];
/** Bytes of what a registry says went wrong. */
const MAX_SAID = 64 << 10;

export class RegistryClient {
  readonly endpoint: Endpoint;
  readonly transport: Transport;
  readonly #shown: string;
  readonly #actions: string;
  readonly #authorizer: Authorizer;
  #base: Promise<URL> | undefined;

  /**
   * @param shown the image, for messages
   * @param actions "pull" or "pull,push"
   */
  constructor(endpoint: Endpoint, transport: Transport, shown: string, actions: string) {
    this.endpoint = endpoint;
    this.transport = transport;
    this.#shown = shown;
    this.#actions = actions;
    this.#authorizer = new Authorizer(endpoint, transport, shown);
  }

  /**
   * Sends a request until it is answered: a status that may pass, or a cut connection, gets another try.
   *
   * @returns any answer but 401, 403 and redirects of what reads
   * @throws E_REGISTRY_ANSWER, E_REGISTRY_AUTH, E_REGISTRY_CREDENTIALS, E_REGISTRY_INSECURE,
   *   E_REGISTRY_UNREACHABLE
   */
  async call(call: Call): Promise<Answer> {
    const { to, again = true } = call;
    const url = typeof to === "string" ? await this.#below(to) : to;
    for (let tries = 1; ; tries++) {
      let wait: number | undefined;
      try {
        const answer = await this.#authorized(url, call);
        if (!isPassing(answer.status) || !again) return answer;
        wait = waitBefore(tries, askedWait(answer));
        if (wait === undefined) throw await this.#busy(answer, tries);
        discard(answer);
      } catch (cause) {
        if (!again) throw cause;
        wait = isCut(cause) ? waitBefore(tries) : undefined;
        if (wait === undefined) throw this.failure(cause, url);
      }
      await pause(wait, this.transport.signal);
    }
  }

  /** What went wrong with the network, as people can read it; any other failure as it is. */
  failure(cause: unknown, url: URL): unknown {
    const code = codeOf(cause);
    if (this.transport.signal.aborted || code === "" || code.startsWith("E_")) return cause;
    const why = errors.networkReason(cause);
    return errors.unreachable(withoutQuery(url), why, cause);
  }

  /**
   * The failure that an answer is.
   *
   * @param what was asked for or brought: "manifest latest"
   */
  async refusal(
    answer: Answer,
    what: string,
    verb: "give" | "take" = "give",
  ): Promise<BundleError> {
    const said = await this.said(answer);
    if (verb === "take") {
      const words = said === undefined ? "" : ` (${said})`;
      return errors.upload(this.#shown, `it answers ${answer.status} to the ${what}${words}`);
    }
    if (answer.status === 404) return errors.notFound(this.#shown, what, said);
    return errors.answer(withoutQuery(answer.url), `it does not give the ${what}`, {
      actual: `status ${answer.status}${said === undefined ? "" : ` (${said})`}`,
    });
  }

  async #busy(answer: Answer, tries: number): Promise<BundleError> {
    const said = await this.said(answer);
    const asked = askedWait(answer);
    const wait = asked === undefined ? "" : `, and wants ${Math.ceil(asked / 1000)} s of peace`;
    const words = said === undefined ? "" : ` (${said})`;
    const what = `it answers ${answer.status}${words} to ${tries} tries${wait}`;
    return errors.unreachable(withoutQuery(answer.url), what);
  }

  /** Its own words, at most one line; undefined: none. */
  async said(answer: Answer): Promise<string | undefined> {
    try {
      const bytes = await this.transport.small(answer, MAX_SAID);
      const [first] = (JSON.parse(bytes.toString("utf8")) as SaidErrors).errors ?? [];
      const text = [first?.code, first?.message].filter((one) => typeof one === "string");
      const line = text.join(": ").replace(/\s+/g, " ").slice(0, 200);
      return line === "" ? undefined : line;
    } catch {
      return undefined; // A page for people, or nothing.
    }
  }

  async #authorized(url: URL, call: Call): Promise<Answer> {
    const scopes = this.#scopes(call);
    const first = this.#authorizer.known(scopes);
    const answer = await this.#followed(url, call, first);
    if (answer.status === 403) throw await this.#authorizer.refused(await this.said(answer));
    if (answer.status !== 401) return answer;
    discard(answer);
    await this.#authorizer.answer(answer, first, scopes);
    const second = await this.#followed(url, call, this.#authorizer.known(scopes));
    if (second.status !== 401 && second.status !== 403) return second;
    throw await this.#authorizer.refused(await this.said(second));
  }

  #scopes({ from = [] }: Call): string[] {
    const own = `repository:${this.endpoint.repository}:${this.#actions}`;
    return [own, ...from.map((repository) => `repository:${repository}:pull`)];
  }

  /** What reads is led on to where the bytes are; whatever else is led on is not sent there. */
  async #followed(start: URL, call: Call, authorization: string | undefined): Promise<Answer> {
    const { method, headers = {}, body } = call;
    const isReading = method === "GET" || method === "HEAD";
    const own = (await this.#origin()).origin;
    let url = start;
    let isOwn = true;
    for (let hops = 0; ; hops++) {
      // Once another host is asked, what is for the registry stays away, wherever that leads back to.
      isOwn &&= url.origin === own;
      const sent = { ...headers, ...(isOwn && authorization && { authorization }) };
      const answer = await this.transport.send({
        method,
        url,
        headers: sent,
        ...(body && { body: body() }),
      });
      if (!REDIRECTS.includes(answer.status)) return this.#ownWord(answer, isOwn);
      discard(answer);
      const shown = withoutQuery(answer.url);
      if (!isReading) throw errors.answer(shown, `it leads a ${method} to another place`);
      if (hops === MAX_REDIRECTS) {
        throw errors.answer(withoutQuery(start), "it leads from place to place", {
          expected: `at most ${MAX_REDIRECTS} redirects`,
        });
      }
      url = this.target(answer.header("location"), url);
    }
  }

  /** What another host says of access is no question of the registry's. */
  #ownWord(answer: Answer, isOwn: boolean): Answer {
    if (isOwn || (answer.status !== 401 && answer.status !== 403)) return answer;
    discard(answer);
    throw errors.answer(
      withoutQuery(answer.url),
      "the place that the registry leads to refuses access",
      {
        actual: `status ${answer.status}`,
      },
    );
  }

  /**
   * An address that the registry gave, in Location.
   *
   * @param from what it is relative to
   * @throws E_REGISTRY_ANSWER, E_REGISTRY_INSECURE
   */
  target(location: string | undefined, from: URL): URL {
    const shown = withoutQuery(from);
    const url = URL.canParse(location ?? "", from.href) ? new URL(location ?? "", from) : undefined;
    if (url === undefined || location === undefined || !/^https?:$/.test(url.protocol)) {
      throw errors.answer(shown, "it leads to no address", {
        expected: "Location with an https address",
        actual: location === undefined ? "none" : JSON.stringify(location.slice(0, 200)),
      });
    }
    if (url.username !== "" || url.password !== "") {
      throw errors.answer(shown, "it leads to an address with credentials in it");
    }
    if (url.protocol === "http:" && !this.endpoint.allowsPlain(url.host, from)) {
      throw errors.insecure(withoutQuery(url), `${shown} leads there, without encryption`);
    }
    return url;
  }

  async #below(path: string): Promise<URL> {
    return new URL(`/v2/${this.endpoint.repository}/${path}`, await this.#origin());
  }

  /** Where the registry is. With or without encryption is asked only where both are allowed. */
  #origin(): Promise<URL> {
    this.#base ??= this.#findOrigin();
    return this.#base;
  }

  async #findOrigin(): Promise<URL> {
    const { host, mayBePlain } = this.endpoint;
    const secure = new URL(`https://${host}/`);
    if (!mayBePlain) return secure;
    try {
      discard(await this.transport.send({ method: "GET", url: new URL("/v2/", secure) }));
      return secure;
    } catch (cause) {
      // A certificate that is not trusted is no lack of encryption.
      return speaksPlain(cause) ? new URL(`http://${host}/`) : secure;
    }
  }
}

interface SaidErrors {
  errors?: { code?: unknown; message?: unknown }[];
}

/** Whether who answers may be one that knows nothing of encryption. */
function speaksPlain(cause: unknown): boolean {
  const code = codeOf(cause);
  const cut = ["ECONNREFUSED", "ECONNRESET", "EPIPE", "EPROTO", "UND_ERR_SOCKET"].includes(code);
  return (
    cut ||
    /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNKNOWN_PROTOCOL)/.test(
      code,
    )
  );
}
