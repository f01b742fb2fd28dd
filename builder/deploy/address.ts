/** Where an orchestrator is: the text behind --to. */
import { optionValue } from "../errors.ts";
import { isLoopback } from "../oci/registry/hosts.ts";
import * as errors from "./deploy-errors.ts";

/** What an orchestrator listens on where nothing stands in front of it (its own default). */
const OWN_PORT = "8080";
const EXPECTED = "fuse://HOST[:PORT], without a user, a query or a fragment";

/**
 * Reads an address. `fuse://` is HTTPS; plain HTTP where only this machine can listen in, or where the user
 * says so. `https://` and `http://` say it themselves.
 *
 * @returns without a slash at its end
 * @throws E_OPTION_VALUE, E_DEPLOY_INSECURE
 */
export function engineAddress(text: string, insecure: boolean): URL {
  const [, scheme = "", rest = ""] = /^(fuse|https?):\/\/(.+)$/s.exec(text) ?? [];
  // The text may hold a password, so it is not shown.
  if (scheme === "" || !URL.canParse(`http://${rest}`)) throw refused();
  const host = new URL(`http://${rest}`);
  const mayBePlain = insecure || isLoopback(host.host);
  const isPlain = scheme === "http" || (scheme === "fuse" && mayBePlain);
  const url = new URL(`${isPlain ? "http" : "https"}://${rest}`);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw refused();
  }
  if (isPlain && !mayBePlain) throw errors.insecure(url.origin);
  if (scheme === "fuse" && isPlain && !/:\d+(\/|$)/.test(rest)) url.port = OWN_PORT;
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}

const refused = () => optionValue("to", EXPECTED, "another text");

/** An address for messages, without a slash at its end. */
export const shownAddress = (url: URL): string => `${url.origin}${url.pathname}`.replace(/\/$/, "");
