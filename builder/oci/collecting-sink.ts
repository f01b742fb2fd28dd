/** What layouts and archives have in common: they are written when all is known that goes into them. */
import type { BlobSink, Written } from "./sink.ts";
import type { StagedBlob, Staging } from "./staging.ts";
import type { Descriptor, Region } from "./store.ts";

/** A finished image, or an index of several: what the names lead to, and all that it leads to itself. */
export interface FinishedImage {
  /** Manifest or index. */
  root: StagedBlob;
  /** Everything else, what is needed before what needs it. */
  blobs: readonly StagedBlob[];
  /** Names that lead to it. */
  tags: readonly string[];
}

/** Writes nothing until a manifest comes that has a name: then all of it, or nothing. */
export abstract class CollectingSink implements BlobSink {
  readonly shown: string;
  protected readonly staging: Staging;
  readonly #blobs: StagedBlob[] = [];

  constructor(shown: string, staging: Staging) {
    this.shown = shown;
    this.staging = staging;
  }

  async blob(descriptor: Descriptor, contents: Uint8Array | Region): Promise<Written> {
    const { mediaType } = descriptor;
    const isRegion = !(contents instanceof Uint8Array);
    const region = isRegion ? contents : (await this.staging.bytes(mediaType, contents)).region;
    this.#blobs.push({ descriptor, region });
    return "written";
  }

  async manifest(
    mediaType: string,
    bytes: Uint8Array,
    tags: readonly string[] = [],
  ): Promise<Descriptor> {
    const made = await this.staging.bytes(mediaType, bytes);
    if (tags.length > 0) await this.write({ root: made, blobs: this.#blobs, tags });
    else this.#blobs.push(made);
    return made.descriptor;
  }

  async close(): Promise<void> {}

  protected abstract write(image: FinishedImage): Promise<void>;
}

/** Annotation that is an image's name in a layout. */
export const REF_NAME = "org.opencontainers.image.ref.name";

/** What `index.json` of a layout says of an image: a line for each of its names. */
export function indexEntries({ root, tags }: FinishedImage): Descriptor[] {
  const { mediaType, digest, size } = root.descriptor;
  return tags.map((tag) => ({ mediaType, digest, size, annotations: { [REF_NAME]: tag } }));
}

/** `blobs/sha256/HEX` */
export const blobName = ({ digest }: Descriptor) => `blobs/${digest.replace(":", "/")}`;

/** The root, and each blob once. */
export function allBlobs({ root, blobs }: FinishedImage): StagedBlob[] {
  return [...new Map([...blobs, root].map((blob) => [blob.descriptor.digest, blob])).values()];
}

/** The file `oci-layout`. */
export const LAYOUT = { imageLayoutVersion: "1.0.0" };
