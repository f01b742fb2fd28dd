/** A bundle → layer, config and manifest of a container image. */
import { compressedStream, type StreamCodec } from "../archive/compressed-stream.ts";
import { tarArchive } from "../archive/tar-writer.ts";
import type { DumpEntry } from "../dump/dump-entry.ts";
import * as errors from "../errors.ts";
import { version } from "../generated/spec.ts";
import type { Architecture } from "../host/paths.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { goArchitectures, mediaTypes } from "../oci/media-types.ts";
import { WHITEOUT } from "../oci/merge.ts";
import type { StagedBlob, Staging } from "../oci/staging.ts";
import { type Descriptor, DOCUMENT_LIMIT, hashOf, requireLimit } from "../oci/store.ts";
import { displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import { entriesOnBase, requireUserOnBase } from "./on-base.ts";
import { type Placement, rootEntries } from "./root-files.ts";
import { type StartConfig, startConfig } from "./start-config.ts";
import { requireStartable, startedBy } from "./startable.ts";

/** What lies below the layer of the bundle. */
export interface BaseImage {
  /** Its config, as it stands there. */
  config: Readonly<Record<string, unknown>>;
  /** How it starts: of that, what is of the types that it has to be. */
  start: StartConfig;
  /** Digests of the layers when they are not compressed. */
  diffIds: readonly string[];
  history: readonly object[];
  /** The lowest first. */
  layers: readonly StagedBlob[];
  /** What they hold together; of files without contents, but for /etc/passwd and /etc/group. */
  tree: Tree;
}

export interface ImageRequest {
  manifest: Manifest | undefined;
  arch: Architecture;
  /** Of the bundle's image; their contents can be read. */
  entries: readonly DumpEntry[];
  placement: Placement;
  base: BaseImage | undefined;
  compression: StreamCodec;
  /** Each `K=V`. */
  labels: readonly string[];
  /** Of the config, and of files that are added. Seconds since 1970. */
  created: number;
  signal?: AbortSignal | undefined;
}

/** Manifest, and what it leads to. */
export interface MadeImage {
  manifest: Buffer;
  /** Of the manifest, with the machine that it is for. */
  descriptor: Descriptor;
  blobs: readonly StagedBlob[];
}

/** @throws E_EXPORT_*, E_PATH_INVALID, E_IMAGE_*, E_OCI_LIMIT */
export async function makeImage(request: ImageRequest, staging: Staging): Promise<MadeImage> {
  const { manifest, placement, base, labels, created, signal } = request;
  const config = startConfig(manifest, placement, base?.start ?? {}, labels);
  const hasBase = base !== undefined;
  refuseWhiteouts(request.entries);
  const own = rootEntries(request.entries, placement, { hasBase, mtime: created });
  const entries = base === undefined ? own : entriesOnBase(own, base.tree, created);
  if (base !== undefined) await requireUserOnBase(entries, base.tree, config.User);
  const started = startedBy(config);
  if (started !== undefined && !hasBase) await requireStartable(entries, started);
  const layer = await makeLayer(entries, request, staging);
  const layers = [...(base?.layers ?? []), layer.blob];
  const described = document(imageConfig(request, config, layer.diffId));
  const configBlob = await staging.bytes(mediaTypes.config, described);
  requireLimit(configBlob.descriptor, DOCUMENT_LIMIT, "the config of the image");
  signal?.throwIfAborted();
  const made = document({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: configBlob.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
  });
  const descriptor = descriptorOf(made, request.arch);
  requireLimit(descriptor, DOCUMENT_LIMIT, "the manifest of the image");
  return { manifest: made, descriptor, blobs: [...layers, configBlob] };
}

/** In a layer such a name is none: it takes away what layers below have there. @throws E_EXPORT_INPUT */
function refuseWhiteouts(entries: readonly DumpEntry[]): void {
  const found = entries.find(({ path }) => path.split("/").some((one) => one.startsWith(WHITEOUT)));
  if (found === undefined) return;
  const what = `has a name that begins with ${WHITEOUT}: a layer takes something away by it, and cannot hold it`;
  throw errors.exportInput(`/${displayPath(found.path)}`, what);
}

/** Its members stand in the order in which they were given. */
export const document = (from: object): Buffer => Buffer.from(JSON.stringify(from));

/** What an index says of a manifest. */
export function descriptorOf(manifest: Buffer, arch: Architecture): Descriptor {
  return {
    mediaType: mediaTypes.manifest,
    digest: `sha256:${hashOf("sha256:").update(manifest).digest("hex")}`,
    size: manifest.length,
    platform: { architecture: goArchitectures[arch], os: "linux" },
  };
}

/** The digest of a layer in the manifest is of its compressed bytes, in the config of the tar. */
async function makeLayer(
  entries: readonly DumpEntry[],
  { compression, signal }: ImageRequest,
  staging: Staging,
): Promise<{ blob: StagedBlob; diffId: string }> {
  const hash = hashOf("sha256:");
  async function* hashed() {
    for await (const piece of tarArchive(entries)) {
      hash.update(piece);
      yield piece;
    }
  }
  const bytes = compressedStream(hashed(), compression, signal);
  const blob = await staging.stream(mediaTypes.layer[compression], bytes);
  return { blob, diffId: `sha256:${hash.digest("hex")}` };
}

function imageConfig({ arch, base, created }: ImageRequest, config: StartConfig, diffId: string) {
  const time = new Date(created * 1000).toISOString().replace(".000", "");
  return {
    ...base?.config,
    created: time,
    architecture: goArchitectures[arch],
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: [...(base?.diffIds ?? []), diffId] },
    history: [
      ...(base?.history ?? []),
      { created: time, created_by: `fuselage-bundle ${version}` },
    ],
  };
}
