/** An image in one file: a layout in a tar archive, or what `docker load` reads. */
import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import { tarArchive } from "../archive/tar-writer.ts";
import type { DumpEntry } from "../dump/dump-entry.ts";
import * as errors from "../errors.ts";
import { decompressed } from "../input/tar/decompress.ts";
import { resolveOutput, writeAtomically } from "../output/atomic.ts";
import { byteString } from "../tree/path.ts";
import {
  allBlobs,
  blobName,
  CollectingSink,
  type FinishedImage,
  indexEntries,
  LAYOUT,
} from "./collecting-sink.ts";
import { bytesOfRegion, readRegion } from "./files.ts";
import { parseObject } from "./json.ts";
import { mediaTypes } from "./media-types.ts";
import { parseRegistryName, shownName } from "./reference.ts";
import type { StagedBlob } from "./staging.ts";
import type { Descriptor, Region } from "./store.ts";

/** Of every member: nothing of an archive depends on when it was made. */
const common = { uid: 0, gid: 0, mtime: 0, xattrs: [] };

const folder = (path: string): DumpEntry => ({
  ...common,
  path,
  kind: "directory",
  mode: 0o755,
  inode: Symbol(path),
});

const member = (path: string, size: number, read: () => AsyncIterable<Uint8Array>): DumpEntry => ({
  ...common,
  path: byteString(path),
  kind: "file",
  mode: 0o644,
  inode: Symbol(path),
  file: { size, read },
});

const blobMember = (name: string, region: Region) =>
  member(name, region.size, () => bytesOfRegion(region));

function jsonMember(name: string, document: object): DumpEntry {
  const bytes = Buffer.from(JSON.stringify(document));
  return member(name, bytes.length, async function* () {
    yield bytes;
  });
}

async function writeTar(file: string, entries: Iterable<DumpEntry>): Promise<void> {
  const write = async (handle: FileHandle) => {
    for await (const piece of tarArchive(entries)) await handle.writeFile(piece);
  };
  await writeAtomically(await resolveOutput(file), 0o666, write, file);
}

/** The layout of an image in a tar archive. */
export class LayoutArchiveSink extends CollectingSink {
  protected async write(image: FinishedImage): Promise<void> {
    const manifests = indexEntries(image);
    const blobs = allBlobs(image).sort((a, b) =>
      a.descriptor.digest < b.descriptor.digest ? -1 : 1,
    );
    await writeTar(this.shown, [
      jsonMember("oci-layout", LAYOUT),
      jsonMember("index.json", { schemaVersion: 2, mediaType: mediaTypes.index, manifests }),
      folder("blobs"),
      ...[...new Set(blobs.map((blob) => path.dirname(blobName(blob.descriptor))))].map(folder),
      ...blobs.map(({ descriptor, region }) => blobMember(blobName(descriptor), region)),
    ]);
  }
}

/**
 * What `docker save` made before it made layouts: `manifest.json`, the config, and the layers as plain tar
 * archives. It has one image, and any number of names for it.
 */
export class DockerArchiveSink extends CollectingSink {
  /** @throws E_OCI_UNSUPPORTED for an index or an artifact */
  protected async write(image: FinishedImage): Promise<void> {
    const { root, blobs, tags } = image;
    const byDigest = new Map(blobs.map((blob) => [blob.descriptor.digest, blob]));
    const found = (descriptor: Descriptor): StagedBlob => {
      const blob = byDigest.get(descriptor.digest);
      if (blob === undefined) throw errors.internal(new Error(`${descriptor.digest} is missing`));
      return blob;
    };
    const manifest = parseObject(await readRegion(root.region), this.shown);
    const { config, layers } = manifest as { config?: Descriptor; layers?: Descriptor[] };
    if (config?.mediaType !== mediaTypes.config || layers === undefined) {
      const what = "cannot hold it: a docker archive has images for one machine";
      throw errors.ociUnsupported(this.shown, what, root.descriptor.mediaType);
    }
    const plain: StagedBlob[] = [];
    for (const layer of layers) plain.push(await this.#decompressed(found(layer)));
    const layerName = ({ descriptor }: StagedBlob) => `${descriptor.digest.slice(7)}.tar`;
    const configName = `${config.digest.slice(7)}.json`;
    const unique = [...new Map(plain.map((layer) => [layerName(layer), layer])).entries()];
    await writeTar(this.shown, [
      ...unique.map(([name, { region }]) => blobMember(name, region)),
      blobMember(configName, found(config).region),
      jsonMember("manifest.json", [
        { Config: configName, RepoTags: tags.map(repoTag), Layers: plain.map(layerName) },
      ]),
    ] as Iterable<DumpEntry>);
  }

  async #decompressed(layer: StagedBlob): Promise<StagedBlob> {
    if (layer.descriptor.mediaType === mediaTypes.layer.none) return layer;
    const bytes = bytesOfRegion(layer.region);
    const { value: head = Buffer.alloc(0) } = await bytes.next();
    const shown = layer.descriptor.digest;
    return this.staging.stream(mediaTypes.layer.none, decompressed(head, bytes, shown));
  }
}

/** Docker keeps no image without a repository and a tag. */
function repoTag(tag: string): string {
  const name = parseRegistryName(tag);
  if (name === undefined) {
    const expected = "NAME or NAME:TAG in lower case, as docker names images";
    throw errors.optionValue("tags", expected, JSON.stringify(tag));
  }
  return shownName(name).replace(/^docker\.io\/(library\/)?/, "");
}
