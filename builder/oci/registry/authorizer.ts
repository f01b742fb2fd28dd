/**
 * The right to read or write a repository: what a registry asks for by WWW-Authenticate, exchanged for
 * what goes into Authorization. By the token and OAuth2 pages of the distribution specification.
 */

import { type Challenge, parseChallenges } from "./challenge.ts";
import { authFiles, type Credentials, findCredentials } from "./credentials.ts";
import type { Endpoint } from "./endpoint.ts";
import * as errors from "./registry-errors.ts";
import { askedWait, isCut, isPassing, pause, waitBefore } from "./retry.ts";
import { type Answer, discard, type Request, type Transport, withoutQuery } from "./transport.ts";

/** Bytes of an answer with a token. */
const MAX_TOKEN = 1 << 20;
/** What stands in a header as it is. */
const HEADER_TEXT = /^[\x21-\x7e]+$/;
const CLIENT = "fuselage-bundle";

export class Authorizer {
  readonly #endpoint: Endpoint;
  readonly #transport: Transport;
  readonly #shown: string;
  /** By scopes. */
  readonly #known = new Map<string, string>();
  readonly #asked = new Map<string, Promise<string>>();
  #credentials: Promise<Credentials | undefined> | undefined;

  /** @param shown the image, for messages */
  constructor(endpoint: Endpoint, transport: Transport, shown: string) {
    this.#endpoint = endpoint;
    this.#transport = transport;
    this.#shown = shown;
  }

  /** Value of Authorization, where it is known already. */
  known(scopes: readonly string[]): string | undefined {
    return this.#known.get(scopes.join(" "));
  }

  /**
   * Does what a registry asks for, and makes it known.
   *
   * @param answer of status 401
   * @param used what was sent, and was not enough
   * @throws E_REGISTRY_AUTH, E_REGISTRY_CREDENTIALS, E_REGISTRY_ANSWER, E_REGISTRY_INSECURE
   */
  async answer(answer: Answer, used: string | undefined, scopes: readonly string[]): Promise<void> {
    const key = scopes.join(" ");
    // Another request that went out at the same time may have got it.
    if (this.#known.get(key) !== used) return;
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = this.#exchange(answer, scopes).finally(() => this.#asked.delete(key));
      this.#asked.set(key, asked);
    }
    const value = await asked;
    if (value === used) throw await this.refused(undefined);
    this.#known.set(key, value);
  }

  /** A failure that says with what, and where that was found. */
  async refused(said: string | undefined): Promise<Error> {
    const credentials = await this.#found();
    return errors.refused(this.#shown, said, credentials?.from, authFiles());
  }

  #found(): Promise<Credentials | undefined> {
    const { credentialHost, repository } = this.#endpoint;
    this.#credentials ??= findCredentials(credentialHost, repository);
    return this.#credentials;
  }

  async #exchange(answer: Answer, scopes: readonly string[]): Promise<string> {
    const header = answer.header("www-authenticate") ?? "";
    const challenges = parseChallenges(header);
    const credentials = await this.#found();
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (credentials?.kind === "bearer")
      return `Bearer ${checkedText(credentials.token, credentials)}`;
    if (bearer !== undefined)
      return `Bearer ${await this.#token(bearer, answer, credentials, scopes)}`;
    if (!challenges.some(({ scheme }) => scheme === "basic")) {
      throw errors.answer(
        withoutQuery(answer.url),
        "it refuses access and does not say what it wants",
        {
          expected: "WWW-Authenticate: Bearer or Basic",
          actual: header === "" ? "none" : JSON.stringify(header.slice(0, 200)),
        },
      );
    }
    if (credentials?.kind !== "password") throw await this.refused(undefined);
    return basic(credentials);
  }

  async #token(
    { parameters }: Challenge,
    answer: Answer,
    credentials: Credentials | undefined,
    scopes: readonly string[],
  ): Promise<string> {
    const realm = this.#realm(parameters.get("realm") ?? "", answer.url);
    const service = parameters.get("service");
    const request = tokenRequest(realm, service, credentials, scopes);
    const got = await this.#send(request);
    if (got.status === 400 || got.status === 401 || got.status === 403) {
      discard(got);
      throw await this.refused(`${withoutQuery(realm)} answers ${got.status}`);
    }
    if (got.status !== 200) {
      discard(got);
      throw errors.answer(withoutQuery(realm), "it gives no token", {
        expected: "status 200",
        actual: `${got.status}`,
      });
    }
    return tokenIn(await this.#transport.small(got, MAX_TOKEN), realm);
  }

  /**
   * Where tokens are. Credentials go there, so it is no worse protected than the registry.
   *
   * @throws E_REGISTRY_ANSWER, E_REGISTRY_INSECURE
   */
  #realm(text: string, asked: URL): URL {
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    const shown = withoutQuery(asked);
    if (realm === undefined || !/^https?:$/.test(realm.protocol)) {
      throw errors.answer(shown, "it names no place where tokens are", {
        expected: "an https address as realm",
        actual: JSON.stringify(text.slice(0, 200)),
      });
    }
    if (realm.username !== "" || realm.password !== "") {
      throw errors.answer(shown, "the place where tokens are has credentials in its address");
    }
    if (realm.protocol === "http:" && !this.#endpoint.allowsPlain(realm.host, asked)) {
      throw errors.insecure(withoutQuery(realm), `${shown} asks for credentials to be sent there`);
    }
    return realm;
  }

  /** Redirects are not followed: no place for tokens has any. */
  async #send(request: Request): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      let wait: number | undefined;
      try {
        const answer = await this.#transport.send(request);
        if (!isPassing(answer.status)) return answer;
        wait = waitBefore(tries, askedWait(answer));
        if (wait === undefined) return answer;
        discard(answer);
      } catch (cause) {
        wait = isCut(cause) ? waitBefore(tries) : undefined;
        if (wait === undefined) {
          throw errors.unreachable(withoutQuery(request.url), errors.networkReason(cause), cause);
        }
      }
      await pause(wait, this.#transport.signal);
    }
  }
}

function basic({ user, password }: Extract<Credentials, { kind: "password" }>): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

function tokenRequest(
  realm: URL,
  service: string | undefined,
  credentials: Credentials | undefined,
  scopes: readonly string[],
): Request {
  if (credentials?.kind === "identity") {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: CLIENT,
      ...(service !== undefined && { service }),
      scope: scopes.join(" "),
      refresh_token: credentials.token,
    });
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { method: "POST", url: realm, headers, body: Buffer.from(form.toString()) };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (credentials?.kind !== "password") return { method: "GET", url };
  url.searchParams.set("account", credentials.user);
  return { method: "GET", url, headers: { authorization: basic(credentials) } };
}

/** @throws E_REGISTRY_ANSWER */
function tokenIn(bytes: Buffer, realm: URL): string {
  let said: { token?: unknown; access_token?: unknown } | null = null;
  try {
    said = JSON.parse(bytes.toString("utf8"));
  } catch {
    // What is wrong with it may be a secret.
  }
  const token = said?.token ?? said?.access_token;
  if (typeof token === "string" && HEADER_TEXT.test(token)) return token;
  throw errors.answer(withoutQuery(realm), "there is no token in its answer", {
    expected: 'JSON with "token" or "access_token"',
  });
}

/** @throws E_REGISTRY_CREDENTIALS */
function checkedText(token: string, { from }: Credentials): string {
  if (HEADER_TEXT.test(token)) return token;
  throw errors.credentials("its token has characters that no token has", { path: from });
}
