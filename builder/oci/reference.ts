/**
 * Names of container images as the user writes them, by what stands in front of the first colon.
 *
 * Names in a registry are Docker's: `nginx` is `docker.io/library/nginx:latest`, and a first part with a
 * dot or a port, or `localhost`, is a host (distribution/reference, "normalize").
 */
import * as errors from "../errors.ts";
import { STDIN } from "../host/standard-input.ts";

/** An image in a registry. */
export interface RegistryReference {
  readonly transport: "docker";
  /** As it stands in names: `docker.io`, `localhost:5000`. */
  readonly host: string;
  /** Path of the repository: `library/nginx`. */
  readonly repository: string;
  /** Undefined where a digest says what is meant. */
  readonly tag?: string;
  readonly digest?: string;
}

/** An image in a folder or file. */
interface FileReference {
  readonly transport: "oci" | "oci-archive" | "docker-archive";
  /** Folder for `oci`, else a file. */
  readonly path: string;
  /** Undefined: the only image that is there. */
  readonly tag?: string;
}

/** A tar archive that is a root file system, and nothing says more of it. */
interface RootReference {
  readonly transport: "tar";
  /** STDIN is standard input. */
  readonly path: string;
}

export type ImageReference = RegistryReference | FileReference | RootReference;

const forms = {
  oci: "oci:DIR or oci:DIR:TAG",
  "oci-archive": "oci-archive:FILE or oci-archive:FILE:TAG",
  "docker-archive": "docker-archive:FILE or docker-archive:FILE:NAME:TAG",
  docker: "docker://HOST/NAME, docker://HOST/NAME:TAG or docker://HOST/NAME@sha256:HEX",
  tar: "tar:FILE",
} as const;

/** What stands in front of the colon. */
export const transports: readonly string[] = Object.keys(forms);

/** Whether a text names an image; anything else is the path of a folder or file. */
export function namesImage(text: string): boolean {
  return text === STDIN || transportOf(text) !== undefined;
}

function transportOf(text: string): keyof typeof forms | undefined {
  const name = /^([a-z-]+):/.exec(text)?.[1] ?? "";
  return Object.hasOwn(forms, name) ? (name as keyof typeof forms) : undefined;
}

/**
 * Reads the name of an image.
 *
 * @throws E_OCI_REFERENCE
 */
export function parseReference(text: string): ImageReference {
  if (text === STDIN) return { transport: "tar", path: STDIN };
  const transport = transportOf(text);
  if (transport === undefined) {
    throw errors.ociReference(text, Object.values(forms).join("; "));
  }
  const rest = text.slice(transport.length + 1);
  const refused = () => errors.ociReference(text, forms[transport]);
  if (rest === "" || rest.includes("\0")) throw refused();
  switch (transport) {
    case "tar":
      return { transport, path: rest };
    case "docker":
      if (!rest.startsWith("//")) throw refused();
      return parseRegistryName(rest.slice(2)) ?? raise(refused());
    case "docker-archive":
      return { transport, ...splitDockerTag(rest) };
    default:
      return { transport, ...splitTag(rest) };
  }
}

function raise(error: Error): never {
  throw error;
}

/** The path and what stands behind its last colon, as skopeo splits it: a path has none. */
function splitTag(rest: string): { path: string; tag?: string } {
  const [, path, tag] = /^([^:]+):(.+)$/s.exec(rest) ?? [];
  if (path === undefined || tag === undefined) return { path: rest.replace(/:$/, "") };
  return { path, tag };
}

/** `FILE:nginx` and `FILE:nginx:1.25` mean what they do for a registry. */
function splitDockerTag(rest: string): { path: string; tag?: string } {
  const { path, tag } = splitTag(rest);
  if (tag === undefined) return { path };
  const name = parseRegistryName(tag);
  return { path, tag: name === undefined || name.tag === undefined ? tag : shownName(name) };
}

const HOST = /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d{1,5})?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
/** Bytes of host and repository together. */
const NAME_MAX = 255;

/** Whether a registry can have that as a tag: it is a part of addresses there. */
export const isTag = (text: string): boolean => TAG.test(text);

/** Docker's rule for a host: without one of these it is a user of Docker's own registry. */
const isHost = (first: string) => /[.:]/.test(first) || first === "localhost";

/** `HOST/NAME`, `HOST/NAME:TAG`, `HOST/NAME@DIGEST` or `HOST/NAME:TAG@DIGEST`; undefined: none of them. */
export function parseRegistryName(text: string): RegistryReference | undefined {
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !DIGEST.test(digest)) return undefined;
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  const parts = (hasTag ? named.slice(0, colon) : named).split("/");
  const [first = ""] = parts;
  const given = parts.length > 1 && isHost(first) ? parts.shift() : undefined;
  const host = given === undefined || given === "index.docker.io" ? "docker.io" : given;
  if (!HOST.test(host) || parts.length === 0) return undefined;
  if (!parts.every((part) => COMPONENT.test(part))) return undefined;
  const isOfficial = host === "docker.io" && parts.length === 1;
  const repository = isOfficial ? `library/${parts[0]}` : parts.join("/");
  if (host.length + repository.length + 1 > NAME_MAX) return undefined;
  return {
    transport: "docker",
    host,
    repository,
    // What a digest says is exact; a tag beside it is for people.
    ...(digest === undefined ? { tag: tag ?? "latest" } : { digest }),
  };
}

/** The full name, without a transport: `docker.io/library/nginx:latest`. */
export function shownName({ host, repository, tag, digest }: RegistryReference): string {
  return `${host}/${repository}${digest === undefined ? `:${tag}` : `@${digest}`}`;
}

/** As `parseReference` takes it. */
export function shownReference(reference: ImageReference): string {
  if (reference.transport === "docker") return `docker://${shownName(reference)}`;
  if (reference.transport === "tar") {
    return reference.path === STDIN ? STDIN : `tar:${reference.path}`;
  }
  const { transport, path, tag } = reference;
  return tag === undefined ? `${transport}:${path}` : `${transport}:${path}:${tag}`;
}

/** The folder or file that is read; undefined where it is a registry or standard input. */
export function pathOf(reference: ImageReference): string | undefined {
  if (reference.transport === "docker") return undefined;
  return reference.transport === "tar" && reference.path === STDIN ? undefined : reference.path;
}

/** What a bundle is called when nobody says it: the last word of a repository or path. */
export function nameOf(reference: ImageReference): string {
  if (reference.transport === "docker") return lastPart(reference.repository);
  if (reference.transport === "docker-archive" && reference.tag !== undefined) {
    const named = parseRegistryName(reference.tag);
    if (named !== undefined) return lastPart(named.repository);
  }
  return lastPart(reference.path.replace(/\/+$/, "")).replace(/(?<=.)\.(tar|tgz|oci)(\.\w+)?$/, "");
}

const lastPart = (path: string) => path.slice(path.lastIndexOf("/") + 1);
