/** Manifests and indexes of a repository: asked for by tag or digest, believed by what they hold. */
import * as ociErrors from "../../errors.ts";
import { type Descriptor, DOCUMENT_LIMIT, hashOf, requireBlob } from "../store.ts";
import type { RegistryClient } from "./client.ts";
import * as errors from "./registry-errors.ts";
import { isCut, pause, waitBefore } from "./retry.ts";
import { type Answer, discard, withoutQuery } from "./transport.ts";

/** What is read here, in the order that a registry with several should choose by. */
const TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)$/;
/** What those say who do not know, of any JSON text. */
const VAGUE = ["", "application/json", "application/octet-stream", "text/plain"];

/** Whether registries keep it among manifests, and not among blobs. */
export const isManifestType = (mediaType: string): boolean => TYPES.includes(mediaType);

const headers = { accept: TYPES.join(", ") };

/** The digest that a registry says a tag has now; undefined: it does not say. */
export async function headManifest(
  client: RegistryClient,
  name: string,
): Promise<string | undefined> {
  const answer = await client.call({ method: "HEAD", to: `manifests/${name}`, headers });
  discard(answer);
  return answer.status === 200 ? answer.header("docker-content-digest") : undefined;
}

export interface ManifestRequest {
  /** That it must have; undefined: any, of a tag. */
  digest: string | undefined;
  /** What leads to it, where something does. */
  descriptor?: Descriptor;
  /** For messages. */
  shown: string;
}

/**
 * Fetches a manifest or an index.
 *
 * @param name tag or digest
 * @throws E_OCI_DIGEST, E_OCI_SIZE, E_OCI_UNSUPPORTED, and what `RegistryClient.call` throws
 */
export async function fetchManifest(
  client: RegistryClient,
  name: string,
  { digest, descriptor, shown }: ManifestRequest,
): Promise<Descriptor & { bytes: Buffer }> {
  for (let tries = 1; ; tries++) {
    const answer = await client.call({ method: "GET", to: `manifests/${name}`, headers });
    if (answer.status !== 200) throw await client.refusal(answer, `manifest ${name}`);
    let bytes: Buffer;
    try {
      bytes = await client.transport.small(answer, DOCUMENT_LIMIT);
    } catch (cause) {
      const wait = isCut(cause) ? waitBefore(tries) : undefined;
      if (wait === undefined) throw client.failure(cause, answer.url);
      await pause(wait, client.transport.signal);
      continue;
    }
    const own = digestOf(bytes, digest);
    const said = answer.header("docker-content-digest");
    if (digest !== undefined && own !== digest) throw ociErrors.ociDigest(shown, digest, own);
    // It may know the same bytes by another kind of digest.
    if (said?.startsWith("sha256:") && digestOf(bytes, undefined) !== said) {
      throw ociErrors.ociDigest(shown, said, digestOf(bytes, undefined));
    }
    if (descriptor !== undefined) requireBlob(bytes, descriptor, shown);
    const mediaType = typeOf(answer, bytes, shown);
    return { mediaType, digest: own, size: bytes.length, bytes };
  }
}

function digestOf(bytes: Buffer, like: string | undefined): string {
  const algorithm = like?.slice(0, like.indexOf(":")) ?? "sha256";
  return `${algorithm}:${hashOf(`${algorithm}:`).update(bytes).digest("hex")}`;
}

/**
 * What it says of itself and what the registry says of it must agree, or two readers of the same bytes
 * see two images (CVE-2021-41190).
 *
 * @throws E_REGISTRY_ANSWER, E_OCI_UNSUPPORTED
 */
function typeOf(answer: Answer, bytes: Buffer, shown: string): string {
  const said = (answer.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (SCHEMA_1.test(said))
    throw ociErrors.ociUnsupported(shown, "is of a kind that is not made any more", said);
  const own = ownType(bytes);
  const type = VAGUE.includes(said) ? own : said;
  if (type === undefined || !isManifestType(type)) {
    throw errors.answer(withoutQuery(answer.url), "what it gives is no manifest of an image", {
      expected: TYPES.join(" or "),
      actual: JSON.stringify((type ?? said).slice(0, 200)),
    });
  }
  if (own !== undefined && own !== type) {
    throw errors.answer(withoutQuery(answer.url), "it gives a manifest as what that is not", {
      expected: own.slice(0, 200),
      actual: JSON.stringify(said),
    });
  }
  return type;
}

function ownType(bytes: Buffer): string | undefined {
  try {
    const { mediaType } = JSON.parse(bytes.toString("utf8")) as { mediaType?: unknown };
    return typeof mediaType === "string" ? mediaType : undefined;
  } catch {
    return undefined;
  }
}
