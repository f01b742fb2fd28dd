/** A bundle's image as a service of Docker Compose and podman-compose: the Compose Specification. */
import { renderTemplate, yamlString } from "../../host/template.ts";
import type { SandboxDevice } from "../../manifest/permissions.ts";
import { deviceKinds } from "../devices.ts";
import type { BundleFacts, Engine, EngineFile, EngineSettings } from "../engine.ts";
import { containerOf, NOBODY } from "./container.ts";

export const compose: Engine = {
  output: "file",
  takes: ["name", "image", "args", "env", "ports", "cpus", "memory", "secrets"],
  files: composeFile,
};

/** Compose replaces variables in every value. */
const literal = (text: string) => text.replaceAll("$", "$$$$");

const list = (texts: readonly string[]) =>
  texts.length === 0 ? undefined : `[${texts.map((text) => yamlString(literal(text))).join(", ")}]`;

/** A mapping on one line. */
const mapping = (pairs: readonly (readonly [string, string])[]) =>
  pairs.length === 0
    ? undefined
    : `{${pairs.map(([key, value]) => `${yamlString(key)}: ${value}`).join(", ")}}`;

function composeFile(facts: BundleFacts, settings: EngineSettings): EngineFile[] {
  const container = containerOf(facts, settings);
  const { name, secrets, volumes, devices, temporary, isReadOnly, dropped, added } = container;
  const text = renderTemplate("engines/containers/compose.yaml", {
    name,
    image: literal(container.image),
    command: container.command && list(container.command),
    environment: mapping([
      ...container.environment.map(([key, value]) => [key, yamlString(literal(value))] as const),
      // From whoever calls Compose, which fails where there is none.
      ...secrets.map((key) => [key, yamlString(`\${${key}:?}`)] as const),
    ]),
    ports: list(container.ports),
    // The short form has colons between its parts, which a path may have.
    mounts:
      volumes.length === 0
        ? undefined
        : `[${volumes.map((volume) => mapping(mountOf(volume))).join(", ")}]`,
    user: container.user && `${container.user}:${container.user}`,
    network: container.network,
    devices: list(devices.map(deviceOf)),
    groups: devices.length === 0 ? undefined : `[${devices.map(groupOf).join(", ")}]`,
    temporary: list(temporary),
    readOnly: isReadOnly ? "true" : undefined,
    dropped: dropped ? '["ALL"]' : undefined,
    added: list(added),
    cpus: settings.cpus?.toString(),
    memory: settings.memory?.toLowerCase(),
    volumes: mapping(volumes.map((volume) => [volume.name, "{}"])),
  });
  return [{ name: "compose.yaml", text }];
}

/** The folder, with all devices that are in it when the container starts. */
const deviceOf = (kind: SandboxDevice) => `${deviceKinds[kind].folder}:${deviceKinds[kind].folder}`;

/**
 * Whose devices are is known on the machine alone: whoever calls Compose says the number of the group. Without one it is
 * one that nobody is in, another for each: Compose takes none twice.
 */
const groupOf = (kind: SandboxDevice, index: number) =>
  yamlString(`\${${kind.toUpperCase()}_GROUP:-${Number(NOBODY) - index}}`);

function mountOf({ name, path }: { name: string; path: string }): [string, string][] {
  return [
    ["type", '"volume"'],
    ["source", yamlString(name)],
    ["target", yamlString(literal(path))],
  ];
}
