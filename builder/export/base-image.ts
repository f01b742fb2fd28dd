/** The image that the layer of a bundle lies on. */
import type { Architecture } from "../host/paths.ts";
import { checkLayer } from "../oci/check-layer.ts";
import { parseDescriptor } from "../oci/descriptor.ts";
import { openImage } from "../oci/image.ts";
import { Document, type JsonObject, parseObject } from "../oci/json.ts";
import { LayerLimits } from "../oci/layer-limits.ts";
import { applyLayer } from "../oci/merge.ts";
import type { StagedBlob } from "../oci/staging.ts";
import { type BlobSource, DOCUMENT_LIMIT } from "../oci/store.ts";
import { Tree } from "../tree/tree.ts";
import type { BaseImage } from "./make-image.ts";
import type { StartConfig } from "./start-config.ts";

/**
 * Its layers as they are and its config as it stands there; every digest is checked.
 *
 * @param from repositories that have its layers, of the registry that the image goes to
 * @throws E_OCI_*, E_LAYER_*, and what the source throws
 */
export async function readBase(
  source: BlobSource,
  arch: Architecture,
  from: readonly string[],
): Promise<BaseImage> {
  const { manifest, config, layers } = await openImage(source, arch);
  const shown = `${source.shown}: manifest ${manifest.digest}`;
  const document = new Document(
    parseObject(await source.small(manifest, DOCUMENT_LIMIT), shown),
    shown,
  );
  const descriptor = parseDescriptor(document.needObject("config"));
  const bytes = await source.small(descriptor, DOCUMENT_LIMIT);
  const raw = parseObject(bytes, config.shown);
  for (const key of ["author", "created", "os.version", "variant"]) config.text(key);
  config.texts("os.features");
  config.objects("history");
  const staged: StagedBlob[] = [];
  const limits = new LayerLimits();
  const tree = new Tree();
  for (const layer of layers) {
    const { digest, size } = layer;
    const file = await source.file({ mediaType: layer.mediaType, digest, size });
    // Docker's names of layers are those of Docker's manifests; the bytes are the same.
    const named = `${source.shown}: layer ${digest}`;
    const { region, mediaType, entries } = await checkLayer(layer, file, named, limits);
    applyLayer(tree, entries, { shown: named, devices: true, leftOut: [] });
    staged.push({ descriptor: { mediaType, digest, size }, region, from });
  }
  return {
    config: raw,
    start: startOf(config, raw),
    diffIds: layers.map(({ diffId }) => diffId),
    history: (raw.history ?? []) as object[],
    layers: staged,
    tree,
  };
}

/**
 * Members that a start is made of have their types, or no container engine would read the image that is made of it.
 * Others (a health check, what Docker noted for itself) stay as they are.
 *
 * @throws E_OCI_INVALID
 */
function startOf(config: Document, raw: JsonObject): StartConfig {
  const start = config.object("config");
  if (start === undefined) return {};
  const set = (key: string) => Object.fromEntries(start.keys(key).map((name) => [name, {}]));
  const all = {
    User: start.text("User"),
    ExposedPorts: set("ExposedPorts"),
    Env: start.texts("Env").filter((pair) => /^[^=]+=/.test(pair)),
    Entrypoint: start.texts("Entrypoint"),
    Cmd: start.texts("Cmd"),
    Volumes: set("Volumes"),
    WorkingDir: start.text("WorkingDir"),
    Labels: start.map("Labels"),
    StopSignal: start.text("StopSignal"),
  };
  const there = Object.entries(all).filter(([key]) => start.has(key));
  return { ...(raw.config as StartConfig), ...Object.fromEntries(there) };
}
