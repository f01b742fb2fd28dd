/** An image into a registry: what is there is skipped, what another repository has is mounted. */
import { BundleError } from "../../errors.ts";
import type { RegistryReference } from "../reference.ts";
import { shownReference } from "../reference.ts";
import type { BlobSink, Written } from "../sink.ts";
import { type Descriptor, descriptorOf, type Region } from "../store.ts";
import { RegistryClient } from "./client.ts";
import { Gate } from "./gate.ts";
import { type FetchProgress, ProgressSum } from "./progress.ts";
import { ownEndpoint } from "./registries-conf.ts";
import * as errors from "./registry-errors.ts";
import { type Answer, discard, Transport } from "./transport.ts";
import { contentsOf, requireKept, upload } from "./upload.ts";

export interface PushOptions {
  /** Whether plain HTTP will do where there is no HTTPS. Default: on this machine only. */
  insecure?: boolean | undefined;
  /** How long the other side may say nothing, ms. */
  patience?: number | undefined;
  /** Bytes of a blob that are sent at once. */
  chunkSize?: number | undefined;
  onProgress?: ((progress: FetchProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Blobs that are sent at the same time. */
const AT_ONCE = 3;

/**
 * A repository of a registry to write to. Nothing is asked before something is written.
 *
 * @throws E_REGISTRY_BLOCKED, E_REGISTRY_CONFIG
 */
export function openRegistrySink(
  reference: RegistryReference,
  options: PushOptions = {},
): BlobSink {
  return new RegistrySink(reference, options);
}

class RegistrySink implements BlobSink {
  readonly shown: string;
  readonly #options: PushOptions;
  readonly #transport: Transport;
  readonly #client: RegistryClient;
  readonly #gate = new Gate(AT_ONCE);
  readonly #blobs = new Map<string, Promise<Written>>();
  readonly #progress: ProgressSum;

  constructor(reference: RegistryReference, options: PushOptions) {
    const { insecure = false, patience, signal } = options;
    this.shown = shownReference(reference);
    this.#options = options;
    this.#progress = new ProgressSum(options.onProgress);
    this.#transport = new Transport({
      ...(patience !== undefined && { patience }),
      ...(signal && { signal }),
    });
    const endpoint = ownEndpoint(reference, insecure);
    this.#client = new RegistryClient(endpoint, this.#transport, this.shown, "pull,push");
  }

  /** @throws E_REGISTRY_UPLOAD, E_OCI_SIZE, E_OCI_DIGEST, and what `RegistryClient.call` throws */
  blob(
    descriptor: Descriptor,
    contents: Uint8Array | Region,
    from: readonly string[] = [],
  ): Promise<Written> {
    let written = this.#blobs.get(descriptor.digest);
    if (written === undefined) {
      written = this.#gate.run(() => this.#write(descriptor, contents, from));
      this.#blobs.set(descriptor.digest, written);
      written.catch(() => this.#blobs.delete(descriptor.digest));
    }
    return written;
  }

  async #write(
    descriptor: Descriptor,
    given: Uint8Array | Region,
    from: readonly string[],
  ): Promise<Written> {
    const { size } = descriptor;
    this.#progress.add({ totalBytes: size, totalBlobs: 1 });
    const how = (await this.#isThere(descriptor))
      ? "present"
      : await this.#send(descriptor, given, from);
    this.#progress.add({ blobs: 1, ...(how !== "written" && { bytes: size }) });
    return how;
  }

  /** What it has under the digest, and calls otherwise or has in another size, is sent. */
  async #isThere({ digest, size }: Descriptor): Promise<boolean> {
    const answer = await this.#client.call({ method: "HEAD", to: `blobs/${digest}` });
    discard(answer);
    if (answer.status === 200) {
      const said = answer.header("docker-content-digest") ?? digest;
      const length = answer.header("content-length") ?? `${size}`;
      return said === digest && Number(length) === size;
    }
    if (answer.status === 404) return false;
    throw await this.#client.refusal(answer, `blob ${digest}`);
  }

  async #send(
    descriptor: Descriptor,
    given: Uint8Array | Region,
    from: readonly string[],
  ): Promise<Written> {
    const { digest } = descriptor;
    const others = from.filter((name) => name !== this.#client.endpoint.repository);
    let begun: Answer | undefined;
    for (const repository of others) {
      begun = await this.#mount(digest, repository);
      if (begun === undefined) continue;
      if (begun.status === 201) {
        discard(begun);
        requireKept(begun, digest, this.shown);
        return "mounted";
      }
      break; // It has begun an upload instead, which serves as well.
    }
    const contents = await contentsOf(given, descriptor, this.shown);
    try {
      await upload({
        client: this.#client,
        descriptor,
        contents,
        begun,
        begin: () => this.#begin(),
        shown: this.shown,
        chunkSize: this.#options.chunkSize,
        onBytes: (bytes) => this.#progress.add({ bytes }),
      });
    } finally {
      await contents.close();
    }
    return "written";
  }

  /** Begins an upload: an answer of status 202. */
  async #begin(): Promise<Answer> {
    const answer = await this.#client.call({ method: "POST", to: "blobs/uploads/" });
    if (answer.status === 202) return answer;
    throw await this.#client.refusal(answer, "blob", "take");
  }

  /**
   * Asks for a blob of another repository.
   *
   * @returns an answer of status 201: it is here now; or 202: an upload was begun instead; undefined: that
   *   repository is not to be read by us
   */
  async #mount(digest: string, repository: string): Promise<Answer | undefined> {
    const query = new URLSearchParams({ mount: digest, from: repository });
    const to = `blobs/uploads/?${query}`;
    try {
      const answer = await this.#client.call({ method: "POST", to, from: [repository] });
      if (answer.status === 201 || answer.status === 202) return answer;
      discard(answer);
      return undefined;
    } catch (cause) {
      if (cause instanceof BundleError && cause.code === "E_REGISTRY_AUTH") return undefined;
      throw cause;
    }
  }

  async manifest(
    mediaType: string,
    bytes: Uint8Array,
    tags: readonly string[] = [],
  ): Promise<Descriptor> {
    const descriptor = descriptorOf(mediaType, bytes);
    const { digest } = descriptor;
    for (const name of tags.length > 0 ? tags : [digest]) {
      const answer = await this.#client.call({
        method: "PUT",
        to: `manifests/${name}`,
        headers: { "content-type": mediaType },
        body: () => bytes,
      });
      if (answer.status !== 201 && answer.status !== 200) {
        throw await this.#client.refusal(answer, `manifest ${name}`, "take");
      }
      discard(answer);
      const said = answer.header("docker-content-digest");
      if (said !== undefined && said !== digest) {
        throw errors.upload(
          this.shown,
          `it keeps the manifest as another one: ${said.slice(0, 200)}`,
        );
      }
    }
    return descriptor;
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }
}
