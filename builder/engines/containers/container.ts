/** What container engines on one machine are told of a bundle's image, in whatever format. */
import * as errors from "../../errors.ts";
import type { SandboxDevice } from "../../manifest/permissions.ts";
import {
  declaredNet,
  ENTRY_CAPABILITIES,
  HOME,
  isPlainUser,
  reachedPorts,
  writtenFolders,
} from "../declared-in-image.ts";
import {
  type BundleFacts,
  type EngineSettings,
  type PortRange,
  pairsOf,
  plainName,
} from "../engine.ts";
import { secretsOf } from "../settings.ts";

/** Values as they are; each format quotes them. */
export interface Container {
  name: string;
  image: string;
  command: readonly string[] | undefined;
  environment: readonly [string, string][];
  /** Names of variables whose values the engine has. */
  secrets: readonly string[];
  /** `8080:8080/tcp`. */
  ports: readonly string[];
  /** Named volumes, by the paths in the container. */
  volumes: readonly { name: string; path: string }[];
  /** Uid and gid of who has no name; undefined: whom the image says. */
  user: string | undefined;
  /** "none" where the app declares to use none; undefined: what the engine has. */
  network: string | undefined;
  /** Kinds of devices that the app declares to use. */
  devices: readonly SandboxDevice[];
  /** Folders in memory, with options behind a colon. */
  temporary: readonly string[];
  /** Whether nothing of the image may change. */
  isReadOnly: boolean;
  /** Whether it has no capability but those that are added. */
  dropped: boolean;
  added: readonly string[];
}

/** Under the same number, or the same numbers. */
function published({ first, last, protocol }: PortRange): string {
  const range = first === last ? `${first}` : `${first}-${last}`;
  return `${range}:${range}/${protocol}`;
}

/** Those that the bundle records stay ranges where nothing is said of single ones. */
function publishedPorts(facts: BundleFacts, settings: EngineSettings): string[] {
  if (settings.ports === undefined && declaredNet(facts) === undefined) {
    return [...new Set(facts.ports.map(published))];
  }
  return reachedPorts(facts, settings).map(({ port, protocol }) =>
    published({ first: port, last: port, protocol }),
  );
}

/** Whether it declares that it uses no network at all. */
function usesNoNetwork(facts: BundleFacts): boolean {
  const net = declaredNet(facts);
  return net !== undefined && !net.udp && net.connect.length + net.listen.length === 0;
}

/** Folders in memory that it may write to: /tmp, and what it declares. */
function temporaryFolders(facts: BundleFacts, written: readonly string[]): string[] {
  const kept = new Set([TMP, ...facts.volumes]);
  return [TMP, ...written.filter((path) => !kept.has(path)).map(temporaryFolder)];
}

/** Colons stand before options, and commas between them. */
function temporaryFolder(path: string): string {
  if (/^[A-Za-z0-9/_.@+-]+$/.test(path)) return `${path}:mode=1777`;
  const what =
    "is where the app declares to write, and container engines have no way to write that";
  throw errors.engineInput(path, what);
}

/** What of the rights of a container it loses, and what an image that is a root gets again. */
function capabilitiesOf(facts: BundleFacts) {
  if (!facts.isRoot || isPlainUser(facts)) return { dropped: true, added: [] };
  if (facts.permissions === undefined) return { dropped: false, added: [] };
  return { dropped: true, added: ENTRY_CAPABILITIES };
}

const TMP = "/tmp";

/** Nobody, on every Linux. */
export const NOBODY = "65534";

export function containerOf(facts: BundleFacts, settings: EngineSettings): Container {
  const { file, isRoot, start, volumes } = facts;
  if (start === undefined) {
    const what = "records a command line of the runner, of which no container image is made";
    throw errors.engineInput(file, what);
  }
  if (settings.image === undefined) {
    throw errors.optionMissing("image", "the image that `bundle export --to` makes of the bundle");
  }
  const name = plainName(settings.name ?? facts.name).toLowerCase();
  const written = writtenFolders(facts);
  const secrets = secretsOf(settings);
  return {
    name,
    image: settings.image,
    command: settings.args,
    environment: pairsOf([
      ...(written.includes(HOME) ? [`HOME=${HOME}`] : []),
      ...(settings.env ?? []),
    ]).filter(([key]) => !secrets.includes(key)),
    secrets,
    ports: publishedPorts(facts, settings),
    network: usesNoNetwork(facts) ? "none" : undefined,
    devices: facts.permissions?.devices ?? [],
    temporary: temporaryFolders(facts, written),
    volumes: volumes.map((path, index) => ({ name: `${name}-${plainName(path)}-${index}`, path })),
    // Entry scripts of images that are roots change owners and files before they change users.
    user: isRoot ? undefined : NOBODY,
    isReadOnly: !isRoot,
    ...capabilitiesOf(facts),
  };
}
