/** What several engines make of the same settings. */
import * as errors from "../errors.ts";
import type { Architecture } from "../host/paths.ts";
import { type BundleFacts, type EngineSettings, type PortRange, pairsOf } from "./engine.ts";

/** A port that the app listens on. */
export interface Port {
  port: number;
  protocol: PortRange["protocol"];
}

/** More in a row would be a mistake: each is a rule of its own. */
const MOST = 256;

/**
 * Those that the user names, else those that the bundle records, each once.
 *
 * @throws E_OPTION_VALUE, E_ENGINE_INPUT
 */
export function portsOf(facts: BundleFacts, { ports }: EngineSettings): Port[] {
  if (ports !== undefined) return eachOnce(ports.map(portOf));
  const all = facts.ports.flatMap(({ first, last, protocol }) => {
    if (last - first >= MOST) {
      throw errors.engineInput(facts.file, `records more than ${MOST} ports in a row`);
    }
    return Array.from({ length: last - first + 1 }, (_, index) => ({
      port: first + index,
      protocol,
    }));
  });
  if (all.length <= MOST) return eachOnce(all);
  throw errors.engineInput(facts.file, `records more than ${MOST} ports`);
}

/** A port that is named again, or is in two ranges, is one: engines refuse two of the same name. */
const eachOnce = (ports: readonly Port[]): Port[] => [
  ...new Map(ports.map((one) => [`${one.port}/${one.protocol}`, one])).values(),
];

function portOf(text: string): Port {
  const [, number, protocol = "tcp"] = /^([1-9]\d{0,4})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  if (number !== undefined && Number(number) <= 65535) {
    return { port: Number(number), protocol: protocol as Port["protocol"] };
  }
  throw errors.optionValue("ports", "PORT or PORT/udp", JSON.stringify(text));
}

/** A name as DNS has labels: RFC 1123, at most `most` characters. */
export function labelName(name: string, most = 63): string {
  const label = name
    .toLowerCase()
    .replace(/\.(run|appimage)$/, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, most)
    .replace(/-+$/, "");
  return label === "" ? "app" : label;
}

/** GOARCH, by which engines that are written in Go call machines. */
export const goArchitectures: Readonly<Record<Architecture, string>> = {
  x86_64: "amd64",
  aarch64: "arm64",
  riscv64: "riscv64",
};

/** MiB of `512M` or `2G`. */
export const mebibytes = (text: string): number =>
  Number.parseInt(text, 10) * (text.endsWith("G") ? 1024 : 1);

/**
 * Names of variables whose values the engine keeps, each once.
 *
 * @throws E_OPTION_CONFLICT for one that has a value among the others
 */
export function secretsOf({ secrets = [], env = [] }: EngineSettings): string[] {
  const known = new Set(pairsOf(env).map(([key]) => key));
  const both = secrets.find((key) => known.has(key));
  if (both !== undefined) {
    throw errors.optionConflict(
      (name) => `${name("env")} and ${name("secrets")} both name ${both}`,
    );
  }
  return [...new Set(secrets)];
}
