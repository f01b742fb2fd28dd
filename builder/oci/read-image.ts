/** An image, or a tar archive that is a whole root, → a tree. */
import { realpath } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import type { Architecture } from "../host/paths.ts";
import { bytesOfInput, STDIN, shownInput } from "../host/standard-input.ts";
import type { EarlyBlocks } from "../squashfs/early-blocks.ts";
import { byteString } from "../tree/path.ts";
import { Tree } from "../tree/tree.ts";
import { type AppConfig, parseConfig, plainConfig } from "./config.ts";
import { RegionBytes, sizeOf } from "./files.ts";
import { Hidden } from "./hidden.ts";
import { type LayerDescriptor, openImage } from "./image.ts";
import { type LayerEntry, type LayerSurroundings, readLayer } from "./layer.ts";
import { LayerLimits } from "./layer-limits.ts";
import { applyLayer } from "./merge.ts";
import { openBlobs } from "./open.ts";
import { type ImageReference, shownName } from "./reference.ts";
import type { RegistryOptions } from "./registry/source.ts";
import type { BlobSource, Descriptor, Region } from "./store.ts";

export interface ReadImageOptions {
  arch: Architecture;
  /** Whether devices and fifos are taken. */
  devices: boolean;
  /** Private folder, for what has to be on the disk until the tree is written. */
  readonly workspace: string;
  /** How a registry is asked. */
  registry: RegistryOptions;
  /** Compresses contents while layers are read. */
  early?: EarlyBlocks | undefined;
  /** Says what begins. */
  step(what: string): void;
  signal?: AbortSignal | undefined;
}

export interface ReadImage {
  tree: Tree;
  config: AppConfig;
  /** For the record SOURCE. */
  source?: string;
  /** One line each, for people. */
  explain: readonly string[];
  /** Devices and fifos that were not taken: paths, byte strings. */
  leftOut: readonly string[];
}

/**
 * Reads all layers and checks every digest.
 *
 * @throws E_INPUT_MISSING, E_FILE_*, E_OCI_*, E_LAYER_*, E_OUTPUT_* for the workspace
 */
export function readImage(
  reference: ImageReference,
  options: ReadImageOptions,
): Promise<ReadImage> {
  return reference.transport === "tar"
    ? readRoot(reference.path, options)
    : readLayers(reference, options);
}

/** New names in the workspace, which is made when there is one to be written. */
function namer(options: ReadImageOptions): () => string {
  let count = 0;
  return () => path.join(options.workspace, `image-${count++}`);
}

async function readLayers(
  reference: Exclude<ImageReference, { transport: "tar" }>,
  options: ReadImageOptions,
): Promise<ReadImage> {
  const { arch, devices, step, signal } = options;
  const newFile = namer(options);
  const source = await openBlobs(reference, newFile, options.registry);
  try {
    const { manifest, config, layers } = await openImage(source, arch);
    const limits = new LayerLimits();
    const hidden = new Hidden();
    const count = layers.length;
    // From the top: what an upper layer takes away is compressed for nothing.
    const order = [...layers.keys()].reverse();
    const regions = new Map(order.map((i) => [i, source.file(layers[i] as Descriptor)]));
    // The first that fails is told when it is its turn.
    for (const region of regions.values()) region.catch(() => {});
    const read = new Map<number, LayerEntry[]>();
    for (const i of order) {
      const layer = layers[i] as LayerDescriptor;
      step(`layer ${i + 1} of ${count}, ${(layer.size / (1 << 20)).toFixed(1)} MiB`);
      const bytes = new RegionBytes((await regions.get(i)) as Region);
      const input = {
        shown: shownLayer(source, layer),
        chunks: bytes,
        // What was fetched has no name, or one of the cache's, which may go any time.
        region: reference.transport === "docker" ? undefined : bytes,
        blob: layer,
        diffId: layer.diffId,
      };
      const early = earlyOf(options, hidden);
      const entries = await readLayer(input, { limits, early, newFile, signal });
      hidden.add(entries);
      read.set(i, entries);
    }
    const tree = new Tree();
    const leftOut: string[] = [];
    const explain = [`manifest: ${manifest.digest}`];
    for (const [i, layer] of layers.entries()) {
      const entries = read.get(i) ?? [];
      applyLayer(tree, entries, { shown: shownLayer(source, layer), devices, leftOut });
      explain.push(`layer: ${layer.digest} (${layer.size} bytes, ${entries.length} entries)`);
    }
    const place =
      reference.transport === "docker"
        ? shownName({ ...reference, digest: manifest.digest }).replace(/^/, "docker://")
        : `${reference.transport}:${path.basename(reference.path)}@${manifest.digest}`;
    return { tree, config: parseConfig(config), source: byteString(place), explain, leftOut };
  } finally {
    await source.close();
  }
}

const shownLayer = (source: BlobSource, { digest }: Descriptor) =>
  `${source.shown}: layer ${digest}`;

/** What of a layer is worth to be compressed while it is read. */
function earlyOf({ early }: ReadImageOptions, hidden: Hidden): LayerSurroundings["early"] {
  if (early === undefined) return undefined;
  return ({ name, size }) => (hidden.has(name) ? undefined : early.file(size));
}

async function readRoot(file: string, options: ReadImageOptions): Promise<ReadImage> {
  const { devices, signal } = options;
  const newFile = namer(options);
  const limits = new LayerLimits();
  const leftOut: string[] = [];
  const tree = new Tree();
  const shown = shownInput(file);
  const region = file === STDIN ? undefined : new RegionBytes(await regionOf(file));
  const input = { chunks: region ?? bytesOfInput(file), region };
  const early = earlyOf(options, new Hidden());
  const entries = await readLayer({ shown, ...input }, { limits, early, newFile, signal });
  applyLayer(tree, entries, { shown, devices, leftOut, isWhole: true });
  if (tree.root.entries.size === 0) throw errors.inputEmpty(shown);
  return { tree, config: plainConfig(), explain: [], leftOut };
}

/** All of a file, to where reading ends: files of /proc say that they have 0 bytes. */
async function regionOf(file: string): Promise<Region> {
  if ((await sizeOf(file)) === undefined) throw errors.inputMissing(file, undefined, false);
  const path = await realpath(file).catch(errors.readingFailed(file));
  return { path, offset: 0, size: Number.MAX_SAFE_INTEGER, shown: file };
}
