/** A bundle's image as a container that podman runs as a service: podman-systemd.unit(5). */
import * as errors from "../../errors.ts";
import { renderTemplate } from "../../host/template.ts";
import type { BundleFacts, Engine, EngineFile, EngineSettings } from "../engine.ts";
import { unitArgument, unitText } from "../systemd/quoting.ts";
import { containerOf } from "./container.ts";

export const quadlet: Engine = {
  output: "directory",
  takes: ["name", "image", "args", "env", "ports", "cpus", "memory", "notify", "secrets"],
  files: quadletFile,
};

/**
 * Everything becomes a word of the command line of `podman run` in a unit, where variables and
 * specifiers are replaced; podman itself replaces none.
 */
function quadletFile(facts: BundleFacts, settings: EngineSettings): EngineFile[] {
  const container = containerOf(facts, settings);
  const { name, volumes, user, network, temporary, isReadOnly, dropped, added } = container;
  const text = renderTemplate("engines/containers/app.container", {
    name,
    description: unitText(facts.description),
    image: container.image,
    command: container.command?.map(commandWord).join(" "),
    environment: container.environment.map(([key, value]) => unitArgument(`${key}=${value}`)),
    secrets: container.secrets.map((key) => `${key},type=env,target=${key}`),
    ports: container.ports,
    mounts: volumes.map((volume) => `${volume.name}:${volumePath(volume.path)}`),
    user,
    network,
    temporary,
    readOnly: isReadOnly ? "true" : undefined,
    dropped: dropped ? "all" : undefined,
    added: added.map((one) => `CAP_${one}`),
    notify: settings.notify ? "true" : undefined,
    limits: limitsOf(settings),
  });
  return [{ name: `${name}.container`, text }];
}

/** podman's generator takes an empty word for the end of the line: what follows it would be lost. */
function commandWord(arg: string): string {
  if (arg !== "") return unitArgument(arg);
  throw errors.optionValue("args", "words for podman, none of them empty", '""');
}

/** Keys of their own for these came with podman 5. */
const limitsOf = ({ cpus, memory }: EngineSettings): string[] => [
  ...(cpus === undefined ? [] : [`--cpus=${cpus}`]),
  ...(memory === undefined ? [] : [`--memory=${memory.toLowerCase()}`]),
];

/** What stands behind a colon has no quoting. */
function volumePath(path: string): string {
  if (/^[A-Za-z0-9/_.@+-]+$/.test(path)) return path;
  const what = "is a volume of the image, and podman-systemd.unit(5) has no way to write its path";
  throw errors.engineInput(path, what);
}
