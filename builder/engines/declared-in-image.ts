/** What an app declares that it does, for an engine that starts its image, where nothing of the runner keeps it to that. */
import * as errors from "../errors.ts";
import { declaredPlaces } from "./declared-places.ts";
import type { BundleFacts, EngineSettings } from "./engine.ts";
import { type Port, portsOf } from "./settings.ts";

/** Where an app that may write to a folder of its user's has one: HOME. */
export const HOME = "/var/lib/app";

/** Words for folders of a user, all of which are below HOME in a container. */
const HOMES = ["home", "app-data", "downloads"];

/** What the network is to it; undefined: nothing is declared, or all of it. */
export function declaredNet({ permissions }: BundleFacts) {
  const net = permissions === undefined ? "all" : (permissions.net ?? "none");
  if (net === "all") return undefined;
  const { connect = [], listen = [], udp = false } = net === "none" ? {} : net;
  return { connect, listen, udp };
}

/**
 * What it is to be reached at: of the ports that it records those on which it declares to listen.
 *
 * @throws E_ENGINE_INPUT for one that was asked for, and on which it declares not to listen
 */
export function reachedPorts(facts: BundleFacts, settings: EngineSettings): readonly Port[] {
  const net = declaredNet(facts);
  const ports = portsOf(facts, settings);
  if (net === undefined) return ports;
  const may = ({ port, protocol }: Port) =>
    protocol === "udp" ? net.udp : net.listen.includes(port) || net.listen.includes(0);
  const refused = ports.find((one) => !may(one));
  if (refused === undefined || settings.ports === undefined) return ports.filter(may);
  const what = `is to be reached at ${refused.port}/${refused.protocol}, where it declares not to listen`;
  const hint = "Name another --port, or build it with the permission to listen there.";
  throw errors.engineInput(facts.file, what, hint);
}

/**
 * Folders that it writes to: paths, and HOME where it writes to one of a user's. An image that is a root can be
 * written anyway.
 *
 * @param own folders of the container that have to stay as they are. Default: those of the app's files.
 * @throws E_ENGINE_INPUT for one that would cover what the image has
 */
export function writtenFolders(facts: BundleFacts, own?: readonly string[]): string[] {
  if (facts.isRoot) return [];
  const { fs = {} } = facts.permissions ?? {};
  const places = declaredPlaces(facts, { root: "image", wanted: ["rw"], ...(own && { own }) });
  const hasHome = HOMES.some((place) => fs[place] === "rw");
  return [...places.map(({ path }) => path), ...(hasHome ? [HOME] : [])];
}

/** What entry scripts do as root before they become somebody else. */
export const ENTRY_CAPABILITIES = [
  ...["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL"],
  ...["NET_BIND_SERVICE", "SETGID", "SETUID"],
];

/** Whether an image that is a root, and declares what it does, names a user by number who is not root. */
export const isPlainUser = ({ permissions, start }: BundleFacts): boolean =>
  permissions !== undefined && /^0*[1-9]\d{0,8}(:|$)/.test(start?.User ?? "");
