/** From the name of an image to its manifest and config: indexes are followed to the one for a machine. */
import * as errors from "../errors.ts";
import type { Architecture } from "../host/paths.ts";
import { parseDescriptor } from "./descriptor.ts";
import { Document, parseObject } from "./json.ts";
import { goArchitectures, mediaTypes } from "./media-types.ts";
import { type BlobSource, checkedDigest, type Descriptor, DOCUMENT_LIMIT } from "./store.ts";

const INDEX = new Set<string>([
  mediaTypes.index,
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);
const MANIFEST = new Set<string>([
  mediaTypes.manifest,
  "application/vnd.docker.distribution.manifest.v2+json",
]);
const CONFIG = new Set<string>([
  mediaTypes.config,
  "application/vnd.docker.container.image.v1+json",
]);

/**
 * Tar archives; those that may not be distributed are layers all the same. How one is compressed is told by
 * how it begins, as by every engine: its digests leave no doubt of what it is.
 */
const LAYER =
  /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+(gzip|zstd))?|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.(gzip|zstd))?)$/;

/** Indexes that lead to each other; images of the world have one, those of several systems two. */
const DEPTH_MAX = 4;

/** Layers of an image; Docker's limit is 127. */
const LAYERS_MAX = 1024;

export interface LayerDescriptor extends Descriptor {
  /** Digest of the uncompressed tar. */
  readonly diffId: string;
}

/** An image for one machine. */
export interface Image {
  readonly manifest: Descriptor;
  readonly config: Document;
  /** The lowest first. */
  readonly layers: readonly LayerDescriptor[];
}

/** @throws E_OCI_*, and what the source throws */
export async function openImage(source: BlobSource, arch: Architecture): Promise<Image> {
  const manifest = await findManifest(source, await source.root(), arch);
  const shown = `${source.shown}: manifest ${manifest.digest}`;
  const document = new Document(
    parseObject(await source.small(manifest, DOCUMENT_LIMIT), shown),
    shown,
  );
  requireImage(document);
  const descriptor = parseDescriptor(document.needObject("config"));
  const named = `${source.shown}: config ${descriptor.digest}`;
  const bytes = await source.small(descriptor, DOCUMENT_LIMIT);
  const config = new Document(parseObject(bytes, named), named);
  requirePlatform(config, arch);
  return { manifest, config, layers: layersOf(document, config) };
}

/** Follows indexes to the manifest for a machine. @throws E_OCI_* */
export async function findManifest(
  source: BlobSource,
  root: Descriptor,
  arch: Architecture,
): Promise<Descriptor> {
  const seen = new Set<string>();
  let current = root;
  for (;;) {
    const shown = `${source.shown}: ${current.digest}`;
    const bytes = await source.small(current, DOCUMENT_LIMIT);
    const document = new Document(parseObject(bytes, shown), shown);
    if (!isIndex(document, current)) return current;
    if (seen.has(current.digest)) throw errors.ociIndex(shown, "is an index that leads to itself");
    seen.add(current.digest);
    if (seen.size > DEPTH_MAX) {
      throw errors.ociIndex(shown, "is an index below others", {
        expected: `at most ${DEPTH_MAX} indexes`,
        actual: "one more",
      });
    }
    current = chooseManifest(document, arch);
  }
}

/** By what the document says of itself, else by what led to it, else by its members. */
function isIndex(document: Document, { mediaType }: Descriptor): boolean {
  const type = document.text("mediaType") || mediaType;
  if (INDEX.has(type)) return !document.has("layers") || confused(document);
  if (MANIFEST.has(type)) return document.has("manifests") && confused(document);
  if (document.has("fsLayers") || /manifest\.v1\+(json|prettyjws)$/.test(type)) {
    const what = "is of Docker's manifest schema 1, which no program makes any more";
    throw errors.ociUnsupported(document.shown, what, type || "schemaVersion 1");
  }
  if (type !== "") throw errors.ociUnsupported(document.shown, "is no manifest or index", type);
  return document.has("manifests") && (!document.has("layers") || confused(document));
}

/** What is a manifest for one reader and an index for another hides one of them (CVE-2021-41190). */
function confused(document: Document): never {
  throw errors.ociInvalid(document.shown, "is a manifest and an index at once");
}

/** Of arm64; others need more than every processor of it has. */
const VARIANTS = [undefined, "v8"];

/** The first image of an index that the machine can run. @throws E_OCI_INDEX */
function chooseManifest(index: Document, arch: Architecture): Descriptor {
  const manifests = index.objects("manifests").map(parseDescriptor);
  // Attestations stand in an index as images of no machine.
  const images = manifests.filter(({ platform, annotations }) => {
    const isOther = annotations?.["vnd.docker.reference.type"] !== undefined;
    return !isOther && platform?.architecture !== "unknown";
  });
  const wanted = goArchitectures[arch];
  const fits = ({ platform }: Descriptor) =>
    platform?.os === "linux" &&
    platform.architecture === wanted &&
    (wanted === "amd64"
      ? (platform.variant ?? "v1") === "v1"
      : VARIANTS.includes(platform.variant));
  const chosen =
    images.find(fits) ??
    images.find((one) => INDEX.has(one.mediaType) && one.platform === undefined) ??
    (images.length === 1 && images[0]?.platform === undefined ? images[0] : undefined);
  if (chosen !== undefined) return chosen;
  const found = images.map(({ platform, mediaType }) =>
    platform === undefined
      ? mediaType || "one of no machine"
      : [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/"),
  );
  throw errors.ociIndex(index.shown, "has no image for this machine", {
    expected: `linux/${wanted}`,
    actual: [...new Set(found)].join(", ") || "nothing",
  });
}

/** An image that no index led to is for the machine that its config says. @throws E_OCI_INDEX */
function requirePlatform(config: Document, arch: Architecture): void {
  const wanted = goArchitectures[arch];
  const architecture = config.text("architecture") || wanted;
  const os = config.text("os") || "linux";
  if (os === "linux" && architecture === wanted) return;
  throw errors.ociIndex(config.shown, "is of an image for another machine", {
    expected: `linux/${wanted}`,
    actual: `${os}/${architecture}`,
  });
}

/** @throws E_OCI_ARTIFACT */
function requireImage(manifest: Document): void {
  const { shown } = manifest;
  const config = parseDescriptor(manifest.needObject("config"));
  if (CONFIG.has(config.mediaType)) return;
  throw errors.ociArtifact(shown, manifest.text("artifactType") || config.mediaType || "no type");
}

function layersOf(manifest: Document, config: Document): LayerDescriptor[] {
  const layers = manifest.objects("layers").map(parseDescriptor);
  const rootfs = config.needObject("rootfs");
  const diffIds = rootfs.texts("diff_ids").map((one) => checkedDigest(one, config.shown));
  if (layers.length > LAYERS_MAX) {
    throw errors.ociLimit(manifest.shown, "has too many layers", {
      expected: `at most ${LAYERS_MAX}`,
      actual: `${layers.length}`,
    });
  }
  if (diffIds.length !== layers.length) {
    throw errors.ociInvalid(config.shown, "does not say the digest of each layer (diff_ids)", {
      expected: `${layers.length}`,
      actual: `${diffIds.length}`,
    });
  }
  for (const { mediaType } of layers) {
    if (LAYER.test(mediaType)) continue;
    const what = "has a layer that is no tar archive";
    throw errors.ociUnsupported(manifest.shown, what, mediaType || "no type");
  }
  return layers.map((layer, i) => ({ ...layer, diffId: diffIds[i] as string }));
}
