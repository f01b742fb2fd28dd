/** What went wrong on the way to an orchestrator, or with the form of its answer, as people can read it. */
import { systemReason } from "../errors.ts";
import { networkReason } from "../oci/registry/registry-errors.ts";
import { codeOf, isCut } from "../oci/registry/retry.ts";
import * as errors from "./deploy-errors.ts";
import { LongAnswer, MAX_ANSWER } from "./read-answer.ts";

/** Codes of what is no HTTP, has more headers than any, or is not packed as it says. */
const NO_HTTP = /^(HPE_\w+|UND_ERR_HEADERS_OVERFLOW|Z_\w+|ERR_BROTLI\w*|ERR__ERROR\w*|ZSTD_\w+)$/;

/** What fetch says of ports that the Fetch standard blocks (1, 25, 6000 and some eighty more). */
const BAD_PORT = "bad port";

/**
 * @param shown for messages: the orchestrator's address
 * @param late how long was waited, ms, where that was too long
 * @param doubt what to do where the request may have been heard
 * @returns E_DEPLOY_UNREACHABLE, E_DEPLOY_ANSWER; what is neither of the network nor of an answer as it is
 */
export function networkFailure(
  shown: string,
  thrown: unknown,
  { late = 0, doubt }: { late?: number; doubt?: string | undefined } = {},
): unknown {
  if (isOurs(thrown)) return thrown;
  const hint = { hint: doubt };
  if (late > 0) {
    const what = `there is no answer in ${late / 1000} s`;
    return errors.unreachable(shown, what, thrown, doubt);
  }
  const cause = networkCause(thrown);
  if (thrown instanceof SyntaxError) {
    return errors.answer(shown, "its answer is no JSON", hint);
  }
  if (thrown instanceof LongAnswer) {
    const sizes = { expected: `at most ${MAX_ANSWER} bytes`, actual: "more" };
    return errors.answer(shown, "its answer is too long", { ...sizes, ...hint });
  }
  if (isNoHttp(thrown)) {
    return errors.answer(shown, `its answer is no HTTP: ${systemReason(cause)}`, hint);
  }
  if (cause instanceof Error && cause.message === BAD_PORT) {
    return errors.unreachable(
      shown,
      "HTTP clients refuse this port, which is that of another protocol",
      cause,
    );
  }
  if (codeOf(cause) === "") return thrown;
  // Of what was never sent there is no doubt.
  const maybe = isCut(cause) ? doubt : undefined;
  return errors.unreachable(shown, networkReason(cause), cause, maybe);
}

/** A failure that has been put into words already. */
export const isOurs = (cause: unknown): boolean => codeOf(cause).startsWith("E_");

/** Whether what answered speaks no HTTP, or none that can be read. */
export function isNoHttp(thrown: unknown): boolean {
  const cause = networkCause(thrown);
  return (
    NO_HTTP.test(codeOf(cause)) || (cause instanceof Error && cause.name === "HTTPParserError")
  );
}

/** What `fetch` wraps into a TypeError. */
export function networkCause(thrown: unknown): unknown {
  return thrown instanceof TypeError && thrown.cause !== undefined ? thrown.cause : thrown;
}
