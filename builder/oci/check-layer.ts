/** A layer that is passed on as it is: its bytes, compressed and not, are compared with what is said of them. */
import * as errors from "../errors.ts";
import { codecOf, decompressed } from "../input/tar/decompress.ts";
import { TarProblem } from "../input/tar/tar-header.ts";
import { bytesOfRegion } from "./files.ts";
import type { LayerDescriptor } from "./image.ts";
import { requireRatio } from "./layer-limits.ts";
import { mediaTypes } from "./media-types.ts";
import { hashOf, type Region, requireDigest } from "./store.ts";

/**
 * @param shown the layer, for messages
 * @returns the media type that it has by how it begins, as OCI calls it
 * @throws E_OCI_DIGEST, E_OCI_UNSUPPORTED, E_LAYER_CORRUPT, E_LAYER_LIMIT, E_FILE_UNREADABLE
 */
export async function checkLayer(
  { digest, diffId }: LayerDescriptor,
  region: Region,
  shown: string,
): Promise<string> {
  const stored = hashOf(digest);
  for await (const piece of bytesOfRegion(region)) stored.update(piece);
  requireDigest(stored, digest, shown);
  const pieces = bytesOfRegion(region);
  try {
    const { value: head = Buffer.alloc(0) } = await pieces.next();
    const codec = codecOf(head) ?? "none";
    if (codec !== "none" && codec !== "gzip" && codec !== "zstd") {
      throw errors.ociUnsupported(shown, "is compressed as no layer of an image is", codec);
    }
    const plain = hashOf(diffId);
    let made = 0;
    for await (const piece of decompressed(head, pieces, shown)) {
      made += piece.length;
      requireRatio(region.size, made, shown);
      plain.update(piece);
    }
    requireDigest(plain, diffId, `${shown}, uncompressed`);
    return mediaTypes.layer[codec];
  } catch (thrown) {
    if (!(thrown instanceof TarProblem)) throw thrown;
    const what = `is no whole tar archive: ${thrown.message}`;
    throw errors.layer("E_LAYER_CORRUPT", shown, what, { cause: thrown });
  } finally {
    await pieces.return(undefined);
  }
}
