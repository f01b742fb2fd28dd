/** What a socket unit listens on: systemd.socket(5). */
import net from "node:net";
import * as errors from "../../errors.ts";
import type { BundleFacts } from "../engine.ts";
import { unitWord } from "./quoting.ts";

export interface Listening {
  streams: string[];
  datagrams: string[];
}

/** More would be a mistake: each is a socket that the app is handed. */
const MOST = 256;

/** The word of the user for the ports that the bundle records. */
const DECLARED = "ports";

const EXPECTED =
  "ports, a port, HOST:PORT, [ADDRESS]:PORT, each with /udp behind it or not, or a path of a socket";

/**
 * @param wanted `ports` for those that the bundle says it has, `8080`, `53/udp`, `127.0.0.1:8080`, `[::1]:8080` or a path
 * @throws E_OPTION_VALUE, E_ENGINE_INPUT
 */
export function listeningOn(wanted: readonly string[], facts: BundleFacts): Listening {
  const made: Listening = { streams: [], datagrams: [] };
  for (const text of wanted) {
    if (text === DECLARED) addDeclared(made, facts);
    else addOne(made, text);
  }
  // A second socket of the same address could not be bound, and none would be listened on.
  const once = { streams: [...new Set(made.streams)], datagrams: [...new Set(made.datagrams)] };
  if (once.streams.length + once.datagrams.length > MOST) {
    throw errors.optionValue("sockets", `at most ${MOST} sockets`, `${wanted.join(", ")}`);
  }
  return once;
}

function addDeclared(made: Listening, { file, ports }: BundleFacts): void {
  if (ports.length === 0) throw errors.engineInput(file, "records no ports to listen on");
  for (const { first, last, protocol } of ports) {
    if (protocol === "sctp") {
      throw errors.engineInput(file, `listens on ${first}/sctp, of which systemd makes no sockets`);
    }
    for (let port = first; port <= last && port - first <= MOST; port++) {
      (protocol === "udp" ? made.datagrams : made.streams).push(`${port}`);
    }
  }
}

function addOne(made: Listening, text: string): void {
  const refused = () => errors.optionValue("sockets", EXPECTED, JSON.stringify(text));
  if (text.startsWith("/")) {
    if (/["'\\]|\p{Cc}|\/\.{0,2}(\/|$)/u.test(text)) throw refused();
    made.streams.push(text);
    return;
  }
  const [, host = "", port, protocol] =
    /^(?:(\[[0-9a-fA-F:.]+\]|[0-9.]+):)?([0-9]{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const number = Number(port);
  if (port === undefined || number < 1 || number > 65535) throw refused();
  if (host !== "" && net.isIP(host.replace(/^\[|\]$/g, "")) !== (host.startsWith("[") ? 6 : 4)) {
    throw refused();
  }
  const address = host === "" ? `${number}` : `${host}:${number}`;
  (protocol === "udp" ? made.datagrams : made.streams).push(address);
}

/** As a value of `ListenStream=`, where specifiers are replaced. */
export const listenValue = (address: string): string =>
  address.startsWith("/") ? unitWord(address).slice(1, -1) : address;
