/** The image that the layer of a bundle lies on. */
import type { Architecture } from "../host/paths.ts";
import { parseDescriptor } from "../oci/descriptor.ts";
import { bytesOfRegion } from "../oci/files.ts";
import { openImage } from "../oci/image.ts";
import { Document, parseObject } from "../oci/json.ts";
import { mediaTypes } from "../oci/media-types.ts";
import type { StagedBlob } from "../oci/staging.ts";
import { type BlobSource, DOCUMENT_LIMIT, hashOf, requireDigest } from "../oci/store.ts";
import type { BaseImage } from "./make-image.ts";

/**
 * Its layers as they are and its config as it stands there; every digest is checked.
 *
 * @throws E_OCI_*, and what the source throws
 */
export async function readBase(source: BlobSource, arch: Architecture): Promise<BaseImage> {
  const { manifest, layers } = await openImage(source, arch);
  const shown = `${source.shown}: manifest ${manifest.digest}`;
  const document = new Document(
    parseObject(await source.small(manifest, DOCUMENT_LIMIT), shown),
    shown,
  );
  const descriptor = parseDescriptor(document.needObject("config"));
  const bytes = await source.small(descriptor, DOCUMENT_LIMIT);
  const config = parseObject(bytes, `${source.shown}: config ${descriptor.digest}`);
  const staged: StagedBlob[] = [];
  for (const { mediaType, digest, size } of layers) {
    const region = await source.file({ mediaType, digest, size });
    const hash = hashOf(digest);
    for await (const piece of bytesOfRegion(region)) hash.update(piece);
    requireDigest(hash, digest, `${source.shown}: layer ${digest}`);
    staged.push({ descriptor: { mediaType: ociType(mediaType), digest, size }, region });
  }
  return { config, layers: staged };
}

/** Docker's names of layers are those of Docker's manifests; the bytes are the same. */
function ociType(mediaType: string): string {
  if (/zstd$/.test(mediaType)) return mediaTypes.layer.zstd;
  return /gzip$/.test(mediaType) ? mediaTypes.layer.gzip : mediaTypes.layer.none;
}
