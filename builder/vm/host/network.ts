/** The network of a machine: what the command line says of it, what QEMU and the guest are told. */
import { existsSync } from "node:fs";
import net from "node:net";
import * as errors from "../../errors.ts";
import type { RunRecord } from "../initramfs.ts";

/** A port of the host that leads to one of the guest. */
interface PublishedPort {
  address: string;
  port: number;
  guestPort: number;
}

/** How a machine is connected. */
export type Network =
  | { kind: "none" }
  /** QEMU's own network stack: connections of this process, and ports that lead in. */
  | { kind: "user"; outgoing: boolean; publish: readonly PublishedPort[] }
  /** An interface of the host's, which the user has made. */
  | { kind: "tap"; name: string; address: string | undefined; gateway: string | undefined };

/** QEMU's own: the guest, the router, and a server of names (qemu-options, -netdev user). */
const USER = { address: "10.0.2.15/24", gateway: "10.0.2.2", nameserver: "10.0.2.3" };

/** An interface's name has at most 15 bytes. */
const TAP = /^tap:([^\s/,:]{1,15})$/;
const EXPECTED = "none, user or tap:NAME";
const PORT = "[ADDRESS:]PORT:PORT, each from 1 to 65535";

export interface NetworkOptions {
  network?: string | undefined;
  publish?: readonly string[] | undefined;
  address?: string | undefined;
  gateway?: string | undefined;
}

/**
 * @throws E_OPTION_VALUE, E_OPTION_CONFLICT
 */
export function resolveNetwork(options: NetworkOptions): Network {
  const { network, publish: texts = [], address, gateway } = options;
  const publish = texts.map(parsePublished);
  const tap = TAP.exec(network ?? "")?.[1];
  if (network !== undefined && network !== "none" && network !== "user" && tap === undefined) {
    throw errors.optionValue("network", EXPECTED, `"${network}"`);
  }
  if (tap === undefined && (address !== undefined || gateway !== undefined)) {
    const key = address === undefined ? "gateway" : "address";
    throw errors.optionConflict((name) => `${name(key)} is for ${name("network", "tap:NAME")}`);
  }
  if (tap !== undefined) {
    if (publish.length > 0) {
      throw errors.optionConflict(
        (name) => `${name("publish")} is not for a tap, which leads to all ports`,
      );
    }
    return { kind: "tap", name: tap, address, gateway };
  }
  if (network === "none" && publish.length > 0) {
    throw errors.optionConflict((name) => `${name("network", "none")}, and ${name("publish")}`);
  }
  if (network === "user") return { kind: "user", outgoing: true, publish };
  return publish.length > 0 ? { kind: "user", outgoing: false, publish } : { kind: "none" };
}

function parsePublished(text: string): PublishedPort {
  const [, address = "127.0.0.1", from = "", to = ""] =
    /^(?:(\d+\.\d+\.\d+\.\d+):)?(\d{1,5}):(\d{1,5})$/.exec(text) ?? [];
  const [port, guestPort] = [Number(from), Number(to)];
  const fits = [port, guestPort].every((one) => one >= 1 && one <= 65535) && net.isIPv4(address);
  if (!fits) throw errors.optionValue("publish", PORT, `"${text}"`);
  return { address, port, guestPort };
}

/**
 * Looks whether interface and ports can be had, so that the failure names the one that cannot. Somebody may take one
 * between this and QEMU: then QEMU says it.
 *
 * @throws E_VM_NETWORK, E_VM_PORT
 */
export async function checkNetwork(network: Network): Promise<void> {
  // As root QEMU would make one, which leads nowhere.
  if (network.kind === "tap" && !existsSync(`/sys/class/net/${network.name}`)) {
    throw errors.vmNetwork(`there is no interface ${network.name}`);
  }
  if (network.kind !== "user") return;
  for (const { address, port } of network.publish) {
    const server = net.createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => reject(errors.vmPort(`${address}:${port}`, cause)));
      server.listen({ host: address, port, exclusive: true }, resolve);
    });
    await new Promise((resolve) => server.close(resolve));
  }
}

/** What QEMU is told; a machine of no network gets no device. */
export function networkArguments(network: Network): string[] {
  if (network.kind === "none") return [];
  const device = ["-device", "virtio-net-pci,netdev=net,romfile="];
  if (network.kind === "tap") {
    const tap = `tap,id=net,ifname=${network.name},script=no,downscript=no,vhost=off`;
    return ["-netdev", tap, ...device];
  }
  const forwards = network.publish.map(
    ({ address, port, guestPort }) => `,hostfwd=tcp:${address}:${port}-:${guestPort}`,
  );
  const restrict = network.outgoing ? "off" : "on";
  return ["-netdev", `user,id=net,ipv6=off,restrict=${restrict}${forwards.join("")}`, ...device];
}

/** What the guest is told, as records of its run file. */
export function networkRecords(network: Network): RunRecord[] {
  switch (network.kind) {
    case "none":
      return [];
    case "user":
      return [
        ["address", USER.address],
        ["gateway", USER.gateway],
        ...(network.outgoing ? [["nameserver", USER.nameserver] as RunRecord] : []),
      ];
    case "tap":
      return [
        ...(network.address === undefined ? [] : [["address", network.address] as RunRecord]),
        ...(network.gateway === undefined ? [] : [["gateway", network.gateway] as RunRecord]),
      ];
  }
}
