/** What container engines on one machine are told of a bundle's image, in whatever format. */
import * as errors from "../../errors.ts";
import {
  type BundleFacts,
  type EngineSettings,
  type PortRange,
  pairsOf,
  plainName,
} from "../engine.ts";
import { portsOf } from "../settings.ts";

/** Values as they are; each format quotes them. */
export interface Container {
  name: string;
  image: string;
  command: readonly string[] | undefined;
  environment: readonly [string, string][];
  /** `8080:8080/tcp`. */
  ports: readonly string[];
  /** Named volumes, by the paths in the container. */
  volumes: readonly { name: string; path: string }[];
  /** Uid and gid of who has no name; undefined: whom the image says. */
  user: string | undefined;
  /** Whether nothing of the image may change, and no capability is needed. */
  isFenced: boolean;
}

/** Under the same number, or the same numbers. */
function published({ first, last, protocol }: PortRange): string {
  const range = first === last ? `${first}` : `${first}-${last}`;
  return `${range}:${range}/${protocol}`;
}

const namedPorts = (facts: BundleFacts, settings: EngineSettings) =>
  portsOf(facts, settings).map(({ port, protocol }) =>
    published({ first: port, last: port, protocol }),
  );

/** Nobody, on every Linux. */
const NOBODY = "65534";

export function containerOf(facts: BundleFacts, settings: EngineSettings): Container {
  const { file, isRoot, ports, start, volumes } = facts;
  if (start === undefined) {
    const what = "records a command line of the runner, of which no container image is made";
    throw errors.engineInput(file, what);
  }
  if (settings.image === undefined) {
    throw errors.optionMissing("image", "the image that `bundle export --to` makes of the bundle");
  }
  const name = plainName(settings.name ?? facts.name).toLowerCase();
  return {
    name,
    image: settings.image,
    command: settings.args,
    environment: pairsOf(settings.env ?? []),
    ports: settings.ports === undefined ? ports.map(published) : namedPorts(facts, settings),
    volumes: volumes.map((path, index) => ({ name: `${name}-${plainName(path)}-${index}`, path })),
    // Entry scripts of images that are roots change owners and files before they change users.
    user: isRoot ? undefined : NOBODY,
    isFenced: !isRoot,
  };
}
