/** A bundle that lies in a registry or layout as it is: what `bundle export --artifact` makes. */
import type { Architecture } from "../host/paths.ts";
import { parseDescriptor } from "./descriptor.ts";
import { bytesOfRegion } from "./files.ts";
import { findManifest } from "./image.ts";
import { Document, parseObject } from "./json.ts";
import { mediaTypes } from "./media-types.ts";
import { type BlobSource, DOCUMENT_LIMIT, hashOf, requireDigest } from "./store.ts";

/**
 * The bytes of the bundle, whose digest is checked at their end; undefined: it is an artifact of another
 * sort.
 *
 * @throws E_OCI_*, and what the source throws
 */
export async function bundleOf(
  source: BlobSource,
  arch: Architecture,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const manifest = await findManifest(source, await source.root(), arch);
  const shown = `${source.shown}: manifest ${manifest.digest}`;
  const bytes = await source.small(manifest, DOCUMENT_LIMIT);
  const document = new Document(parseObject(bytes, shown), shown);
  const [layer, second] = document.objects("layers").map(parseDescriptor);
  const isBundle = document.text("artifactType") === mediaTypes.bundle;
  if (!isBundle || layer === undefined || second !== undefined) return undefined;
  const region = await source.file(layer);
  return (async function* () {
    const hash = hashOf(layer.digest);
    for await (const piece of bytesOfRegion(region)) {
      hash.update(piece);
      yield piece;
    }
    requireDigest(hash, layer.digest, `${source.shown}: ${layer.digest}`);
  })();
}
