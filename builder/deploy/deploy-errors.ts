/** Failures of deployments, sorted by code. The catalogue is scripts/spec/errors.json. */
import { BundleError, type ErrorCode, type ErrorDetails, quote } from "../errors.ts";

/** @param what the orchestrator answered that its interface does not have, in words */
export function answer(shown: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_DEPLOY_ANSWER", what, { ...details, path: shown });
}

/** @param what is wrong with a file of credentials; never its contents */
export function credentials(what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_DEPLOY_CREDENTIALS", what, details);
}

/** @param name of the environment that is there @param why it is not the one that is wanted */
export function exists(name: string, why: string): BundleError {
  return new BundleError("E_DEPLOY_EXISTS", `there is one of that name, ${why}`, {
    path: name,
    hint: `Take another --name, or end the one that is there: \`bundle deploy destroy ${name}\`.`,
  });
}

/** @param how it ended, in words @param said last lines of the app or of the orchestrator */
export function failed(name: string, how: string, said?: string): BundleError {
  const words = said === undefined || said === "" ? "" : `; it said: ${said}`;
  return new BundleError("E_DEPLOY_FAILED", `${how}${words}`, { path: name });
}

export function insecure(shown: string): BundleError {
  return new BundleError(
    "E_DEPLOY_INSECURE",
    "a token and secrets would be sent without encryption",
    {
      path: shown,
      expected: "https, or an orchestrator on this machine",
      actual: quote("http"),
    },
  );
}

/** @param what there is none of: "environment" */
export function notFound(name: string, what: string): BundleError {
  const hint = "`bundle deploy list --snapshots` shows those that there are.";
  return new BundleError("E_DEPLOY_NOT_FOUND", `there is no such ${what}`, {
    path: name,
    ...(what === "snapshot" && { hint }),
  });
}

/** @param what a status of the orchestrator means, by one of the codes that only say so */
export function refusal(
  code: Extract<
    ErrorCode,
    | "E_DEPLOY_BUSY"
    | "E_DEPLOY_CONFLICT"
    | "E_DEPLOY_FORBIDDEN"
    | "E_DEPLOY_NO_ROOM"
    | "E_DEPLOY_REFUSED"
    | "E_DEPLOY_SERVER"
    | "E_DEPLOY_TOO_LARGE"
    | "E_DEPLOY_UNSUPPORTED"
  >,
  shown: string,
  what: string,
  hint?: string,
): BundleError {
  return new BundleError(code, what, { path: shown, hint });
}

/** @param what is wrong with a secret; never its value */
export function secret(name: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_DEPLOY_SECRET", `secret ${quote(name)}: ${what}`, details);
}

/** @param what went wrong with offering the bundle */
export function serve(address: string, what: string, cause?: unknown): BundleError {
  return new BundleError("E_DEPLOY_SERVE", what, { path: address, cause });
}

/** @param seconds that were waited @param state what it was in at last */
export function timeout(name: string, seconds: number, state: string): BundleError {
  return new BundleError("E_DEPLOY_TIMEOUT", `it is not up after ${seconds} s: ${state}`, {
    path: name,
  });
}

/**
 * @param from where the token came from; undefined: there was none
 * @param file where one is looked for
 */
export function token(shown: string, from: string | undefined, file: string): BundleError {
  const who = from === undefined ? "without a token" : `with the token of ${from}`;
  return new BundleError("E_DEPLOY_TOKEN", `the orchestrator refuses access ${who}`, {
    path: shown,
    ...(from === undefined && {
      hint: `Set FUSE_TOKEN to one, or keep it in ${file}, as \`fuse connect\` writes it.`,
    }),
  });
}

/** @param hint where something else is to be done than what the code advises */
export function unreachable(
  shown: string,
  what: string,
  cause?: unknown,
  hint?: string,
): BundleError {
  return new BundleError("E_DEPLOY_UNREACHABLE", what, { path: shown, cause, hint });
}
