/** Failures of registries, sorted by code. The catalogue is scripts/spec/errors.json. */
import { BundleError, type ErrorDetails, quote, systemReason } from "../../errors.ts";

/** @param what the registry answered that it may not, in words */
export function answer(url: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_REGISTRY_ANSWER", what, { ...details, path: url });
}

/**
 * @param shown the image or repository
 * @param said words of the registry, where it has some
 * @param used where credentials were found; undefined: nowhere in `files`
 */
export function refused(
  shown: string,
  said: string | undefined,
  used: string | undefined,
  files: readonly string[],
): BundleError {
  const who = used === undefined ? "without credentials" : `with those of ${used}`;
  const reason = said === undefined ? "" : `: ${said}`;
  return new BundleError("E_REGISTRY_AUTH", `the registry refuses access ${who}${reason}`, {
    path: shown,
    ...(used === undefined && {
      hint:
        "Log in first (`skopeo login`, `podman login` or `docker login`); credentials are looked for " +
        `in ${files.join(", ")}. A repository that does not exist is refused the same way.`,
    }),
  });
}

/** @param file that says so */
export function blocked(shown: string, prefix: string, file: string): BundleError {
  const what = `${file} blocks what begins with ${quote(prefix)}`;
  return new BundleError("E_REGISTRY_BLOCKED", what, { path: shown });
}

/** @param what is wrong with a file `registries.conf` */
export function badConfig(
  file: string,
  what: string,
  cause?: unknown,
  details: ErrorDetails = {},
): BundleError {
  return new BundleError("E_REGISTRY_CONFIG", what, { ...details, path: file, cause });
}

/** @param what is wrong with a file or program of credentials; never its contents */
export function credentials(what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_REGISTRY_CREDENTIALS", what, details);
}

/** @param url with plain HTTP */
export function insecure(url: string, what: string): BundleError {
  return new BundleError("E_REGISTRY_INSECURE", what, {
    path: url,
    expected: "https",
    actual: quote(url.slice(0, url.indexOf(":"))),
  });
}

export function badMirror(text: string, what: string): BundleError {
  return new BundleError("E_REGISTRY_MIRROR", `${quote(text)} is no mirror: ${what}`, {
    expected: "HOST=MIRROR or HOST=MIRROR/PREFIX, for example docker.io=mirror.example.org",
  });
}

/** @param what is not there, "manifest 1.25" */
export function notFound(shown: string, what: string, said: string | undefined): BundleError {
  const reason = said === undefined ? "" : `: ${said}`;
  return new BundleError("E_REGISTRY_NOT_FOUND", `the registry has no ${what}${reason}`, {
    path: shown,
  });
}

/** @param what is not in the cache */
export function offline(shown: string, what: string): BundleError {
  return new BundleError("E_REGISTRY_OFFLINE", `${what} is not in the cache`, { path: shown });
}

export function unreachable(url: string, what: string, cause?: unknown): BundleError {
  return new BundleError("E_REGISTRY_UNREACHABLE", what, { path: url, cause });
}

/** @param what the registry did not take, in words */
export function upload(shown: string, what: string): BundleError {
  return new BundleError("E_REGISTRY_UPLOAD", what, { path: shown });
}

/** What a connection died of, for people. */
export function networkReason(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) {
    return networkReason(cause.errors[0]);
  }
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: "nothing listens there (ECONNREFUSED)",
    ECONNRESET: "the connection was cut (ECONNRESET)",
    EHOSTUNREACH: "there is no way to the host (EHOSTUNREACH)",
    ENETUNREACH: "there is no network (ENETUNREACH)",
    ENOTFOUND: "the name of the host is not known (ENOTFOUND)",
    EAI_AGAIN: "the name of the host cannot be looked up now (EAI_AGAIN)",
    EPIPE: "the connection was cut (EPIPE)",
    EPROTO: "what answers there speaks no TLS (EPROTO)",
    ERR_SSL_WRONG_VERSION_NUMBER: "what answers there speaks no TLS",
    ETIMEDOUT: "there is no answer (ETIMEDOUT)",
    UND_ERR_CONNECT_TIMEOUT: "no connection was made in time",
    UND_ERR_HEADERS_TIMEOUT: "there is no answer in time",
    UND_ERR_BODY_TIMEOUT: "the answer stopped in the middle",
    UND_ERR_SOCKET: "the connection was cut",
  };
  return words[code] ?? systemReason(cause);
}
