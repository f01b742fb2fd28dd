/** A bundle's image as a container that podman runs as a service: podman-systemd.unit(5). */
import * as errors from "../../errors.ts";
import { renderTemplate } from "../../host/template.ts";
import { deviceKinds } from "../devices.ts";
import type { BundleFacts, Engine, EngineFile, EngineSettings } from "../engine.ts";
import { unitArgument, unitText } from "../systemd/quoting.ts";
import { containerOf } from "./container.ts";

export const quadlet: Engine = {
  output: "directory",
  takes: [
    ...(["name", "image", "args", "env", "ports", "cpus", "memory", "secrets"] as const),
    ...(["notify", "autoUpdate"] as const),
  ],
  files: quadletFile,
};

/**
 * Everything becomes a word of the command line of `podman run` in a unit, where variables and
 * specifiers are replaced; podman itself replaces none.
 */
function quadletFile(facts: BundleFacts, settings: EngineSettings): EngineFile[] {
  const container = containerOf(facts, settings);
  const { name, volumes, user, network, temporary, isReadOnly, dropped, added } = container;
  const { devices } = container;
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
    // What a machine has not is passed over.
    devices: devices.flatMap((kind) => {
      const { folder, more } = deviceKinds[kind];
      return [folder, ...more].map((one) => `-${one}`);
    }),
    notify: settings.notify ? "true" : undefined,
    autoUpdate: settings.autoUpdate && updatedFrom(settings.autoUpdate, container.image),
    more: [...limitsOf(settings), ...(devices.length === 0 ? [] : ["--group-add=keep-groups"])],
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

/**
 * Podman makes no container that is to be updated by a name which can never lead to another image, and of the registry
 * that it asks it has to be told.
 */
function updatedFrom(where: NonNullable<EngineSettings["autoUpdate"]>, image: string): string {
  const [first = ""] = image.split("/", 1);
  const hasHost = first !== image && (/[.:]/.test(first) || first === "localhost");
  const hasTag = /:[^/@:]+$/.test(image) && !image.includes("@");
  if (hasTag && (hasHost || where === "local")) return where;
  const name = where === "registry" ? "HOST/NAME:TAG" : "NAME:TAG";
  throw errors.optionValue("image", `${name} where it is updated, and no digest`, `"${image}"`);
}

/** What stands behind a colon has no quoting. */
function volumePath(path: string): string {
  if (/^[A-Za-z0-9/_.@+-]+$/.test(path)) return path;
  const what = "is a volume of the image, and podman-systemd.unit(5) has no way to write its path";
  throw errors.engineInput(path, what);
}
