/** An OCI image layout as a source of blobs: `oci-layout`, `index.json` and `blobs/ALGORITHM/HEX`. */
import * as errors from "../errors.ts";
import { parseDescriptor } from "./descriptor.ts";
import { type Files, readRegion } from "./files.ts";
import { Document, type JsonObject, parseObject } from "./json.ts";
import { parseRegistryName, shownName } from "./reference.ts";
import {
  type BlobSource,
  type Descriptor,
  type Region,
  requireBlob,
  requireLimit,
} from "./store.ts";

const REF_NAME = "org.opencontainers.image.ref.name";
/** The whole name, as docker and containerd write it beside the tag alone. */
const CONTAINERD_NAME = "io.containerd.image.name";

const INDEX = "index.json";

/** @throws E_OCI_UNSUPPORTED for a layout of another version, else as `readObject` */
export async function requireVersion(files: Files): Promise<void> {
  const name = "oci-layout";
  const layout = new Document(await readObject(files, name), `${files.shown}: ${name}`);
  const version = layout.needText("imageLayoutVersion");
  if (/^1(\.|$)/.test(version)) return;
  throw errors.ociUnsupported(files.shown, "is an image layout of another version", version);
}

/**
 * A document of a layout.
 *
 * @throws E_OCI_INVALID, E_OCI_LIMIT, E_FILE_UNREADABLE, E_FILE_KIND
 */
async function readObject(files: Files, name: string): Promise<JsonObject> {
  const bytes = await files.document(name);
  if (bytes === undefined) {
    throw errors.ociInvalid(files.shown, `is no image layout: there is no ${name}`);
  }
  return parseObject(bytes, `${files.shown}: ${name}`);
}

export class LayoutSource implements BlobSource {
  readonly shown: string;
  readonly #files: Files;
  readonly #tag: string | undefined;
  readonly #close: () => Promise<void>;

  /**
   * @param tag undefined: the only image
   * @param close what is to be done at the end
   */
  constructor(files: Files, tag: string | undefined, close = async () => {}) {
    this.#files = files;
    this.#tag = tag;
    this.#close = close;
    this.shown = files.shown;
  }

  async root(): Promise<Descriptor> {
    await requireVersion(this.#files);
    const index = new Document(await readObject(this.#files, INDEX), `${this.shown}: ${INDEX}`);
    const manifests = index.objects("manifests").map(parseDescriptor);
    const wanted = this.#tag;
    const found = manifests.filter((one) => wanted === undefined || namesOf(one).includes(wanted));
    // Two names of one image are one image.
    const [first] = found;
    if (first !== undefined && found.every(({ digest }) => digest === first.digest)) return first;
    if (manifests.length === 0) throw errors.ociInvalid(this.shown, "is a layout without an image");
    throw errors.ociTag(this.shown, wanted, [...new Set(manifests.flatMap(firstName))]);
  }

  async small(descriptor: Descriptor, limit: number): Promise<Buffer> {
    const shown = `${this.shown}: ${descriptor.digest}`;
    requireLimit(descriptor, limit, shown);
    const bytes = await readRegion(await this.file(descriptor));
    requireBlob(bytes, descriptor, shown);
    return bytes;
  }

  async file(descriptor: Descriptor): Promise<Region> {
    const { digest, size } = descriptor;
    const shown = `${this.shown}: ${digest}`;
    const region = await this.#files.region(`blobs/${digest.replace(":", "/")}`);
    if (region === undefined) throw errors.ociInvalid(shown, "is named and not there");
    if (region.size !== size) throw errors.ociSize(shown, size, region.size);
    return region;
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** Every way in which an image of a layout may be called. */
function namesOf(descriptor: Descriptor): string[] {
  const { [REF_NAME]: ref, [CONTAINERD_NAME]: whole } = descriptor.annotations ?? {};
  return [ref, whole].flatMap((name) => {
    if (name === undefined) return [];
    const parsed = parseRegistryName(name);
    return [name, ...(parsed === undefined ? [] : [shownName(parsed)])];
  });
}

const firstName = (descriptor: Descriptor) => namesOf(descriptor).slice(0, 1);
