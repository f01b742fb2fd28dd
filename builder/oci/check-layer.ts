/**
 * A layer that is passed on as it is: its bytes, compressed and not, are compared with what is said of them, and its
 * entries are listed, since what lies over them means what it means there alone.
 */
import * as errors from "../errors.ts";
import { ByteStream } from "../input/tar/byte-stream.ts";
import { codecOf, decompressed } from "../input/tar/decompress.ts";
import { TarProblem } from "../input/tar/tar-header.ts";
import { type TarEntry, tarEntries } from "../input/tar/tar-reader.ts";
import { bytesOfRegion, RegionBytes } from "./files.ts";
import type { LayerDescriptor } from "./image.ts";
import type { LayerEntry } from "./layer.ts";
import { type LayerLimits, requireRatio } from "./layer-limits.ts";
import { mediaTypes } from "./media-types.ts";
import { hashOf, type Region, requireDigest } from "./store.ts";

/** Whose contents are kept: those of a user list, of which more bytes are none. */
const LISTS = /^(\.?\/)*etc\/(passwd|group)$/;
const LIST_MAX = 8 << 20;

interface CheckedLayer {
  /** Of the file that was compared: whoever passes it on takes no other. */
  region: Region;
  /** What it is by how it begins, as OCI calls it. */
  mediaType: string;
  /** Without contents, but for /etc/passwd and /etc/group. */
  entries: readonly LayerEntry[];
}

/**
 * @param shown the layer, for messages
 * @param limits of the image
 * @throws E_OCI_DIGEST, E_OCI_UNSUPPORTED, E_LAYER_CORRUPT, E_LAYER_LIMIT, E_FILE_*
 */
export async function checkLayer(
  { digest, diffId }: LayerDescriptor,
  given: Region,
  shown: string,
  limits: LayerLimits,
): Promise<CheckedLayer> {
  const stored = hashOf(digest);
  const bytes = new RegionBytes(given);
  for await (const piece of bytes) stored.update(piece);
  requireDigest(stored, digest, shown);
  const region = bytes.read;
  const pieces = bytesOfRegion(region);
  try {
    const { value: head = Buffer.alloc(0) } = await pieces.next();
    const codec = codecOf(head) ?? "none";
    if (codec !== "none" && codec !== "gzip" && codec !== "zstd") {
      throw errors.ociUnsupported(shown, "is compressed as no layer of an image is", codec);
    }
    const plain = hashOf(diffId);
    let isWhole = false;
    async function* hashed() {
      let made = 0;
      for await (const piece of decompressed(head, pieces, shown)) {
        made += piece.length;
        requireRatio(region.size, made, shown);
        plain.update(piece);
        yield piece;
      }
      isWhole = true;
    }
    const stream = new ByteStream(hashed());
    const entries = await listed(stream, shown, limits).catch(async (thrown) => {
      // What is not what its digest says needs no better reason to be broken.
      if (thrown instanceof TarProblem) await restOf(stream);
      if (isWhole) requireDigest(plain, diffId, `${shown}, uncompressed`);
      throw thrown;
    });
    await restOf(stream);
    requireDigest(plain, diffId, `${shown}, uncompressed`);
    return { region, mediaType: mediaTypes.layer[codec], entries };
  } catch (thrown) {
    if (!(thrown instanceof TarProblem)) throw thrown;
    const what = `is no whole tar archive: ${thrown.message}`;
    throw errors.layer("E_LAYER_CORRUPT", shown, what, { cause: thrown });
  } finally {
    await pieces.return(undefined);
  }
}

async function restOf(stream: ByteStream): Promise<void> {
  while ((await stream.some(1 << 20)) !== undefined);
}

async function listed(
  stream: ByteStream,
  shown: string,
  limits: LayerLimits,
): Promise<LayerEntry[]> {
  const entries: LayerEntry[] = [];
  const lists = new Map<string, LayerEntry>();
  for await (const one of tarEntries(stream, { isWhole: true })) {
    const { contents, ranges: _, offset: __, ...facts }: TarEntry = one;
    limits.take(facts, shown);
    const entry: LayerEntry = { ...facts, body: unread(facts) };
    entries.push(entry);
    const [, , list] = LISTS.exec(entry.name) ?? [];
    if (list === undefined || entry.kind !== "file" || entry.size > LIST_MAX) continue;
    const parts: Uint8Array[] = [];
    for await (const part of contents()) parts.push(Buffer.from(part));
    // Of two entries of one name the last one counts, and no more than that is held.
    const earlier = lists.get(list);
    if (earlier !== undefined) earlier.body = unread(earlier);
    entry.body = { from: "memory", bytes: Buffer.concat(parts) };
    lists.set(list, entry);
  }
  return entries;
}

/** It stays in the layer. */
const unread = ({ size }: { size: number }) => ({ from: "image" as const, size });
