/** Which servers answer for a registry: mirrors in the order given, then the registry itself. */
import { parseRegistryName, type RegistryReference } from "../reference.ts";
import { apiHost, isLoopback } from "./hosts.ts";
import * as errors from "./registry-errors.ts";

/** A server that may be asked for an image, and under what name it has it. */
export class Endpoint {
  /** Host and port. */
  readonly host: string;
  /** What credentials are kept under. */
  readonly credentialHost: string;
  /** Path of the repository there. */
  readonly repository: string;
  /** Whether it stands in for the registry. */
  readonly isMirror: boolean;
  /** Whether plain HTTP was asked for, by --insecure or an address of a mirror. */
  readonly #insecure: boolean;

  constructor(
    credentialHost: string,
    repository: string,
    { isMirror, insecure }: { isMirror: boolean; insecure: boolean },
  ) {
    this.host = apiHost(credentialHost);
    this.credentialHost = credentialHost;
    this.repository = repository;
    this.isMirror = isMirror;
    this.#insecure = insecure;
  }

  /** Whether it may be spoken to without encryption. */
  get mayBePlain(): boolean {
    return this.#insecure || isLoopback(this.host);
  }

  /**
   * Whether it may send us to another host without encryption: never from an encrypted one.
   *
   * @param from what names the other one
   */
  allowsPlain(host: string, from: URL): boolean {
    return from.protocol === "http:" && (this.#insecure || isLoopback(host));
  }
}

/** What is asked in place of a registry. */
export interface Mirror {
  /** Of the registry. */
  host: string;
  /** Of the mirror. */
  location: string;
  /** Goes before the path of a repository; "" or with a slash at its end. */
  prefix: string;
}

/**
 * Reads `HOST=MIRROR[/PREFIX]`; the mirror may have `https://` in front of it.
 *
 * @throws E_REGISTRY_MIRROR
 */
export function parseMirror(text: string): Mirror {
  const [, host = "", place = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (/^http:/i.test(place)) {
    throw errors.badMirror(text, "what stands in for a registry is named without http://");
  }
  const [location = "", ...path] = place
    .replace(/^https:\/\//i, "")
    .replace(/\/+$/, "")
    .split("/");
  const prefix = path.map((part) => `${part}/`).join("");
  // A name of an image there must be one of that host.
  const image = parseRegistryName(`${location}/${prefix}image`);
  const registry = parseRegistryName(`${host}/image`);
  if (registry === undefined || hostIn(registry, host) === undefined) {
    throw errors.badMirror(text, "no registry's name stands before the =");
  }
  if (image === undefined || hostIn(image, location) === undefined) {
    throw errors.badMirror(
      text,
      "no host, with the start of a path or without, stands behind the =",
    );
  }
  return { host: registry.host, location, prefix };
}

/** A first part that looks like no host is a part of a path. */
const hostIn = ({ host }: RegistryReference, given: string): string | undefined =>
  host === given || given === "index.docker.io" ? host : undefined;

/** Who is asked for an image, in order. */
export function endpointsFor(
  { host, repository }: RegistryReference,
  mirrors: readonly Mirror[],
  insecure: boolean,
): Endpoint[] {
  const own = mirrors.filter((mirror) => mirror.host === host);
  return [
    ...own.map(
      ({ location, prefix }) =>
        new Endpoint(location, `${prefix}${repository}`, { isMirror: true, insecure }),
    ),
    new Endpoint(host, repository, { isMirror: false, insecure }),
  ];
}
