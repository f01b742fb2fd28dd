/** What an app declares that it does, as a NetworkPolicy has words for it. */
import { declaredNet } from "../declared-in-image.ts";
import type { BundleFacts } from "../engine.ts";
import type { Port } from "../settings.ts";

/** A rule of a NetworkPolicy: ports, of every peer. */
interface PortRule {
  ports: { protocol: "TCP" | "UDP"; port?: number }[];
}

interface NetworkRules {
  ingress: PortRule[];
  egress: PortRule[];
}

/** Who may connect to it, and where it may connect to. @param ports as `reachedPorts` gives them */
export function networkRules(facts: BundleFacts, ports: readonly Port[]): NetworkRules | undefined {
  const net = declaredNet(facts);
  if (net === undefined) return undefined;
  const { connect, listen, udp } = net;
  const ofTcp = (all: readonly number[]) =>
    all.includes(0)
      ? [{ protocol: "TCP" as const }]
      : all.map((port) => ({ protocol: "TCP" as const, port }));
  const heard = ports.filter(({ protocol }) => protocol === "udp");
  return {
    ingress: rulesOf([
      ...ofTcp(listen),
      ...heard.map(({ port }) => ({ protocol: "UDP" as const, port })),
    ]),
    // What looks names up asks by UDP.
    egress: rulesOf([...ofTcp(connect), ...(udp ? [{ protocol: "UDP" as const }] : [])]),
  };
}

/** A rule without ports would allow all of them. */
const rulesOf = (ports: PortRule["ports"]): PortRule[] => (ports.length === 0 ? [] : [{ ports }]);
