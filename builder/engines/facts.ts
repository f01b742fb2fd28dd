/** What a bundle says of itself → what engines are told of it. */
import path from "node:path";
import { placementOf } from "../export/root-files.ts";
import { type StartConfig, startConfig } from "../export/start-config.ts";
import { architectures, hostArchitecture } from "../host/paths.ts";
import { isPort } from "../manifest/image-config.ts";
import { fromBytes, type Manifest } from "../manifest/manifest.ts";
import { permissionsOfRecords } from "../manifest/permission-rules.ts";
import { type BundleFacts, oneLine, type PortRange } from "./engine.ts";

/** Label of an image that says in words what it is (OCI image specification, "Annotations"). */
const DESCRIPTION = "org.opencontainers.image.description";
const TITLE = "org.opencontainers.image.title";

/** Of the file itself. */
export interface FileFacts {
  file: string;
  size: number;
  sha256: string;
  arch: string | undefined;
}

/** @throws E_EXPORT_INPUT for arguments that are no text */
export function factsOf({ file, size, sha256, arch }: FileFacts, manifest: Manifest): BundleFacts {
  const name = fromBytes(manifest.name);
  const start = startOf(manifest);
  const labels = start?.Labels ?? {};
  const text = oneLine(labels[DESCRIPTION] ?? labels[TITLE] ?? name);
  return {
    file: path.resolve(file),
    size,
    sha256,
    name,
    arch: architectures.find((one) => one === arch) ?? hostArchitecture() ?? "x86_64",
    description: text === "" ? oneLine(name) : text,
    isRoot: manifest.root === "image",
    needsNamespace:
      manifest.root !== undefined ||
      manifest.invocation !== undefined ||
      manifest.mountAt !== undefined ||
      (manifest.maps ?? []).length > 0 ||
      manifest.writable === true,
    folders: foldersOf(manifest),
    ports: (manifest.ports ?? []).filter(isPort).map(fromBytes).map(portRange),
    volumes: (manifest.volumes ?? []).map(fromBytes),
    stopSignal: manifest.stopSignal === undefined ? undefined : fromBytes(manifest.stopSignal),
    permissions: manifest.sandbox && permissionsOfRecords(manifest.sandbox),
    labels,
    start,
  };
}

function foldersOf(manifest: Manifest): string[] {
  const { prefix, maps } = placementOf(manifest, manifest.name, undefined);
  const own = prefix === "" ? [] : [`/${prefix}`];
  return [...own, ...maps.map((map) => map.path)].map(fromBytes);
}

/** A recorded command line of the runner is nothing that a container engine starts. */
function startOf(manifest: Manifest): StartConfig | undefined {
  if (manifest.invocation !== undefined) return undefined;
  return startConfig(manifest, placementOf(manifest, manifest.name, undefined), {}, []);
}

/** `80/tcp` or `8000-8010/udp`. What a bundle of an earlier version records of ports that there are not is no port. */
function portRange(text: string): PortRange {
  const [, first, last, protocol] = /^([0-9]+)(?:-([0-9]+))?\/(tcp|udp|sctp)$/.exec(text) ?? [];
  return {
    first: Number(first),
    last: Number(last ?? first),
    protocol: (protocol ?? "tcp") as PortRange["protocol"],
  };
}
