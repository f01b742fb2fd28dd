/**
 * What `docker save` wrote before it wrote image layouts: `manifest.json` names the config and the layers
 * of each image by their files. It has digests of the uncompressed layers alone, which stand in the config.
 */
import * as errors from "../errors.ts";
import { codecOf } from "../input/tar/decompress.ts";
import { digestOfRegion, type Files, readRegion } from "./files.ts";
import { Document, isObject, parse, parseObject } from "./json.ts";
import { mediaTypes } from "./media-types.ts";
import { parseRegistryName, shownName } from "./reference.ts";
import {
  type BlobSource,
  checkedDigest,
  type Descriptor,
  descriptorOf,
  type Region,
  requireBlob,
  requireLimit,
} from "./store.ts";

const MANIFEST = "manifest.json";

export class DockerArchiveSource implements BlobSource {
  readonly shown: string;
  readonly #files: Files;
  readonly #tag: string | undefined;
  /** By digest: a blob of our own, or where one lies. */
  readonly #made = new Map<string, Buffer>();
  readonly #regions = new Map<string, Region>();

  /** @param tag a full name, or undefined: the only image */
  constructor(files: Files, tag: string | undefined) {
    this.#files = files;
    this.#tag = tag;
    this.shown = files.shown;
  }

  /** A manifest is made, as skopeo makes it: the archive has none. */
  async root(): Promise<Descriptor> {
    const chosen = this.#choose(await this.#images());
    const name = chosen.needText("Config");
    const bytes = await this.#files.document(name);
    const shown = `${this.shown}: ${name}`;
    if (bytes === undefined) throw errors.ociInvalid(shown, "is named and not there");
    const rootfs = new Document(parseObject(bytes, shown), shown).needObject("rootfs");
    const diffIds = rootfs.texts("diff_ids").map((one) => checkedDigest(one, shown));
    const layers: Descriptor[] = [];
    for (const [i, name] of chosen.texts("Layers").entries()) {
      layers.push(await this.#layer(await this.#region(name), diffIds[i]));
    }
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: this.#keep(mediaTypes.config, bytes),
      layers,
    };
    return this.#keep(manifest.mediaType, Buffer.from(JSON.stringify(manifest)));
  }

  async #images(): Promise<Document[]> {
    const bytes = await this.#files.document(MANIFEST);
    if (bytes === undefined) {
      throw errors.ociInvalid(this.shown, `is no archive of docker save: there is no ${MANIFEST}`);
    }
    const shown = `${this.shown}: ${MANIFEST}`;
    const list = parse(bytes, shown);
    if (!Array.isArray(list) || list.length === 0 || !list.every(isObject)) {
      throw errors.ociInvalid(shown, "is no list of images");
    }
    return list.map((one) => new Document(one, shown));
  }

  #choose(images: readonly Document[]): Document {
    const found = images.filter(
      (image) => this.#tag === undefined || image.texts("RepoTags").map(full).includes(this.#tag),
    );
    const [first] = found;
    if (first !== undefined && found.length === 1) return first;
    throw errors.ociTag(
      this.shown,
      this.#tag,
      images.flatMap((image) => image.texts("RepoTags")),
    );
  }

  async #region(name: string): Promise<Region> {
    const region = await this.#files.region(name);
    if (region !== undefined) return region;
    throw errors.ociInvalid(`${this.shown}: ${name}`, "is named and not there");
  }

  #keep(mediaType: string, bytes: Buffer): Descriptor {
    const descriptor = descriptorOf(mediaType, bytes);
    this.#made.set(descriptor.digest, bytes);
    return descriptor;
  }

  /** A layer that is not compressed has the digest that the config says, which is checked as it is read. */
  async #layer(region: Region, diffId: string | undefined): Promise<Descriptor> {
    const head = await readRegion({ ...region, size: Math.min(region.size, 6) });
    const isPlain = codecOf(head) === undefined && diffId !== undefined;
    const digest = isPlain ? diffId : await digestOfRegion(region);
    this.#regions.set(digest, region);
    return { mediaType: mediaTypes.layer[isPlain ? "none" : "gzip"], digest, size: region.size };
  }

  async small(descriptor: Descriptor, limit: number): Promise<Buffer> {
    const shown = `${this.shown}: ${descriptor.digest}`;
    requireLimit(descriptor, limit, shown);
    const bytes = this.#made.get(descriptor.digest);
    if (bytes === undefined) throw errors.ociInvalid(shown, "is named and not there");
    requireBlob(bytes, descriptor, shown);
    return bytes;
  }

  async file({ digest }: Descriptor): Promise<Region> {
    const region = this.#regions.get(digest);
    if (region === undefined)
      throw errors.ociInvalid(`${this.shown}: ${digest}`, "is named and not there");
    return region;
  }

  async close(): Promise<void> {}
}

/** `nginx` as it is compared: `docker.io/library/nginx:latest`. */
function full(name: string): string {
  const parsed = parseRegistryName(name);
  return parsed === undefined ? name : shownName(parsed);
}
