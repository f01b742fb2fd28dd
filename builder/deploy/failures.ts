/** What a status and a code of the orchestrator mean: `components.responses` of its description. */
import type { BundleError } from "../errors.ts";
import * as errors from "./deploy-errors.ts";

/** What was asked for when it was refused. */
export interface Asked {
  /** For messages: an address, or the name of an environment. */
  shown: string;
  /** "environment", "snapshot"; undefined: nothing that may be missing. */
  what?: string;
  /** A new environment: a conflict is its name. */
  isNew?: boolean;
  /** Whether it takes room on a host. */
  takesRoom?: boolean;
  /** What to do where nobody knows whether it was done. */
  doubt?: string | undefined;
}

/** What is in an answer of a failure; what the orchestrator says is fit to be shown. */
export interface Said {
  status: number;
  code: string;
  message: string;
}

/** What the body of a failure says; "" where that is none of the interface. */
export function saidIn(body: unknown): Pick<Said, "code" | "message"> {
  const isObject = typeof body === "object" && body !== null;
  const said = isObject && "error" in body ? (body.error as Record<string, unknown>) : undefined;
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return { code: text(said?.["code"]), message: text(said?.["message"]) };
}

/** Codes of the interface, where a status alone would say too little. */
export function failureOf({ status, code, message }: Said, asked: Asked): BundleError {
  const { shown, what, isNew = false, takesRoom = false, doubt } = asked;
  const said = message === "" ? "" : `: ${message}`;
  switch (status) {
    case 400:
    case 422:
      return errors.refusal(
        "E_DEPLOY_REFUSED",
        shown,
        `the orchestrator refuses the request${said}`,
      );
    case 403:
      return errors.refusal(
        "E_DEPLOY_FORBIDDEN",
        shown,
        code === "forbidden"
          ? `it takes no requests from this machine's address${said}`
          : `this token may not do that${said}`,
      );
    case 404:
      // No route, or no answer of the orchestrator's kind: somebody else is there.
      if (code !== "not_found" || (what === undefined && !isNew)) {
        return errors.answer(shown, `no orchestrator answers there${said}`, {
          actual: "status 404",
        });
      }
      return isNew
        ? errors.refusal("E_DEPLOY_REFUSED", shown, `the orchestrator refuses the request${said}`)
        : errors.notFound(shown, what ?? "");
    case 409:
      return isNew
        ? errors.exists(shown, "which was made meanwhile")
        : errors.refusal("E_DEPLOY_CONFLICT", shown, `it cannot be done now${said}`);
    case 413:
      return errors.refusal("E_DEPLOY_TOO_LARGE", shown, `the request is too large${said}`);
    case 429:
      return errors.refusal(
        "E_DEPLOY_BUSY",
        shown,
        `the orchestrator wants no further requests${said}`,
      );
    case 501:
      return errors.refusal("E_DEPLOY_UNSUPPORTED", shown, `its hosts cannot do that${said}`);
    case 503:
      if (code === "unavailable" && takesRoom) {
        return errors.refusal("E_DEPLOY_NO_ROOM", shown, `no host has room for it${said}`);
      }
      break;
  }
  if (status >= 500) {
    const answers = `the orchestrator answers ${status}${said}`;
    return errors.refusal("E_DEPLOY_SERVER", shown, answers, doubt);
  }
  return errors.answer(shown, `the orchestrator answers ${status}${said}`);
}
