/** An image of a registry: its blobs fetched, or taken from the cache. */
import type { FileHandle } from "node:fs/promises";
import * as ociErrors from "../../errors.ts";
import { BundleError } from "../../errors.ts";
import { cacheFolder } from "../../host/cache-folders.ts";
import { type Warning, warning } from "../../warnings.ts";
import { BlobCache } from "../blob-cache.ts";
import { type RegistryReference, shownReference } from "../reference.ts";
import {
  type BlobSource,
  type Descriptor,
  DOCUMENT_LIMIT,
  type Region,
  requireLimit,
} from "../store.ts";
import { RegistryClient } from "./client.ts";
import { download } from "./download.ts";
import { parseMirror } from "./endpoint.ts";
import { Gate } from "./gate.ts";
import { fetchManifest, headManifest, isManifestType } from "./manifests.ts";
import { type FetchProgress, ProgressSum } from "./progress.ts";
import { configuredEndpoints } from "./registries-conf.ts";
import * as errors from "./registry-errors.ts";
import { Transport } from "./transport.ts";

export interface RegistryOptions {
  /** `HOST=MIRROR[/PREFIX]`, asked in this order before the registry. */
  mirrors?: readonly string[] | undefined;
  /** Whether plain HTTP will do where there is no HTTPS. Default: on this machine only. */
  insecure?: boolean | undefined;
  /** Whether nothing is asked, and the cache has to do. */
  offline?: boolean | undefined;
  /** false: neither taken from the user's cache nor kept there. */
  cache?: boolean | undefined;
  /** Where blobs are kept, in place of the user's cache. */
  cacheDir?: string | undefined;
  /** How long the other side may say nothing, ms. */
  patience?: number | undefined;
  onWarning?: ((warning: Warning) => void) | undefined;
  onProgress?: ((progress: FetchProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Blobs that are fetched at the same time. */
const AT_ONCE = 4;

/**
 * An image of a registry. Nothing is asked before something of it is.
 *
 * @throws E_REGISTRY_BLOCKED, E_REGISTRY_CONFIG, E_REGISTRY_MIRROR
 */
export function openRegistry(
  reference: RegistryReference,
  options: RegistryOptions = {},
): BlobSource {
  return new RegistrySource(reference, options);
}

class RegistrySource implements BlobSource {
  readonly shown: string;
  readonly #reference: RegistryReference;
  readonly #options: RegistryOptions;
  readonly #transport: Transport;
  readonly #clients: RegistryClient[];
  readonly #cache: BlobCache;
  readonly #gate = new Gate(AT_ONCE);
  /** By digest: what is there, or on its way. */
  readonly #files = new Map<string, Promise<FileHandle>>();
  readonly #progress: ProgressSum;
  #root: Promise<Descriptor> | undefined;

  constructor(reference: RegistryReference, options: RegistryOptions) {
    const { mirrors = [], insecure = false, patience, signal, cache = true } = options;
    this.shown = shownReference(reference);
    this.#reference = reference;
    this.#options = options;
    this.#progress = new ProgressSum(options.onProgress);
    this.#transport = new Transport({
      ...(patience !== undefined && { patience }),
      ...(signal && { signal }),
    });
    const endpoints = configuredEndpoints(reference, mirrors.map(parseMirror), insecure);
    this.#clients = endpoints.map(
      (endpoint) => new RegistryClient(endpoint, this.#transport, this.shown, "pull"),
    );
    const dir = options.cacheDir ?? cacheFolder("images");
    this.#cache = new BlobCache(cache ? dir : undefined, (what) =>
      options.onWarning?.(warning("W_CACHE_UNUSABLE", `what is fetched is not kept: ${what}`)),
    );
  }

  /**
   * What the name leads to. A tag is asked for each time; where nobody answers, what it meant last has to do.
   *
   * @throws E_REGISTRY_OFFLINE, E_REGISTRY_NOT_FOUND, and what `RegistryClient.call` throws
   */
  root(): Promise<Descriptor> {
    this.#root ??= this.#findRoot();
    return this.#root;
  }

  async #findRoot(): Promise<Descriptor> {
    const { tag, digest } = this.#reference;
    const known = this.#cache.tag(this.shown);
    if (known !== undefined && (digest !== undefined || this.#options.offline)) {
      if (await this.#has(known)) return known;
    }
    if (this.#options.offline)
      throw errors.offline(this.shown, digest === undefined ? `tag ${tag}` : "it");
    try {
      return await this.#askRoot(digest ?? tag ?? "latest", known);
    } catch (cause) {
      const isAway = cause instanceof BundleError && cause.code === "E_REGISTRY_UNREACHABLE";
      if (!isAway || known === undefined || !(await this.#has(known))) throw cause;
      const what = `${this.shown} cannot be asked for (${cause.message}); ${known.digest} of the cache is taken`;
      this.#options.onWarning?.(warning("W_REGISTRY_CACHED", what));
      return known;
    }
  }

  async #askRoot(name: string, known: Descriptor | undefined): Promise<Descriptor> {
    const { digest } = this.#reference;
    const root = await this.#fromAny(async (client) => {
      // Registries count those who fetch a manifest, not those who ask whether it is still the same.
      if (known !== undefined && (await headManifest(client, name)) === known.digest) {
        if (await this.#has(known)) return known;
      }
      const { bytes, ...found } = await fetchManifest(client, name, { digest, shown: this.shown });
      await this.#put(found, bytes);
      return found;
    });
    this.#cache.keepTag(this.shown, root);
    return root;
  }

  /** Asks one server after the other; what the last one says is the failure. */
  async #fromAny<T>(ask: (client: RegistryClient) => Promise<T>): Promise<T> {
    for (const client of this.#clients) {
      try {
        return await ask(client);
      } catch (cause) {
        if (!client.endpoint.isMirror || this.#options.signal?.aborted) throw cause;
      }
    }
    throw new Error("the registry itself is asked last");
  }

  /** Whether a blob is at hand; it is held then. */
  async #has(descriptor: Descriptor): Promise<boolean> {
    if (this.#files.has(descriptor.digest)) return true;
    const file = await this.#cache.take(descriptor);
    if (file !== undefined) this.#files.set(descriptor.digest, Promise.resolve(file));
    return file !== undefined;
  }

  async #put({ digest }: Descriptor, bytes: Buffer): Promise<void> {
    if (this.#files.has(digest)) return;
    const blob = await this.#cache.create(digest);
    try {
      await blob.write(bytes, 0);
      await blob.publish();
      this.#files.set(digest, Promise.resolve(blob.file));
    } finally {
      await blob.end();
    }
  }

  async small(descriptor: Descriptor, limit: number): Promise<Buffer> {
    requireLimit(descriptor, limit, this.#named(descriptor));
    const file = await this.#held(descriptor);
    const bytes = Buffer.alloc(descriptor.size);
    await file.read(bytes, 0, bytes.length, 0);
    return bytes;
  }

  async file(descriptor: Descriptor): Promise<Region> {
    const file = await this.#held(descriptor);
    return { path: `/proc/self/fd/${file.fd}`, offset: 0, size: descriptor.size };
  }

  /** A blob, checked, and open until `close`: its name may go any time. */
  async #held(descriptor: Descriptor): Promise<FileHandle> {
    const { digest, size } = descriptor;
    let held = this.#files.get(digest);
    if (held === undefined) {
      held = this.#gate.run(() => this.#obtain(descriptor));
      this.#files.set(digest, held);
      held.catch(() => this.#files.delete(digest));
    }
    const file = await held;
    const actual = (await file.stat()).size;
    if (actual !== size) throw ociErrors.ociSize(this.#named(descriptor), size, actual);
    return file;
  }

  async #obtain(descriptor: Descriptor): Promise<FileHandle> {
    const { size, digest } = descriptor;
    this.#progress.add({ totalBytes: size, totalBlobs: 1 });
    const kept = await this.#cache.take(descriptor);
    if (kept !== undefined) {
      this.#progress.add({ bytes: size, blobs: 1 });
      return kept;
    }
    if (this.#options.offline) throw errors.offline(this.shown, digest);
    const file = await this.#fetch(descriptor);
    this.#progress.add({ blobs: 1 });
    return file;
  }

  async #fetch(descriptor: Descriptor): Promise<FileHandle> {
    const { digest, mediaType } = descriptor;
    const shown = this.#named(descriptor);
    const blob = await this.#cache.create(digest);
    try {
      await this.#fromAny(async (client) => {
        if (isManifestType(mediaType)) {
          requireLimit(descriptor, DOCUMENT_LIMIT, shown);
          const { bytes } = await fetchManifest(client, digest, { digest, descriptor, shown });
          await blob.write(bytes, 0);
          this.#progress.add({ bytes: bytes.length });
          return;
        }
        const onBytes = (bytes: number) => this.#progress.add({ bytes });
        await download({ client, to: `blobs/${digest}`, descriptor, shown, blob, onBytes });
      });
      await blob.publish();
      return blob.file;
    } catch (cause) {
      await blob.file.close();
      throw cause;
    } finally {
      await blob.end();
    }
  }

  #named = ({ digest }: Descriptor): string => `${this.shown}, ${digest}`;

  async close(): Promise<void> {
    await this.#transport.close();
    const files = await Promise.allSettled(this.#files.values());
    this.#files.clear();
    for (const one of files) if (one.status === "fulfilled") await one.value.close();
    this.#cache.close();
  }
}
