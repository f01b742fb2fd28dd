/** Bundle → container image. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { checkExportOptions, type ExportOptions } from "../config/export-options.ts";
import { configuredOptions } from "../config/merge.ts";
import { imageEntries } from "../dump/dump-image.ts";
import * as errors from "../errors.ts";
import { readBase } from "../export/base-image.ts";
import { descriptorOf, document, type MadeImage, makeImage } from "../export/make-image.ts";
import { placementOf } from "../export/root-files.ts";
import { architectures, hostArchitecture } from "../host/paths.ts";
import { Workspace } from "../host/temporary.ts";
import { DockerArchiveSink, LayoutArchiveSink } from "../oci/archive-sinks.ts";
import { digestOfRegion, stateOf } from "../oci/files.ts";
import { checkLayout, LayoutSink } from "../oci/layout-sink.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { openBlobs } from "../oci/open.ts";
import { type ImageReference, isTag, parseReference } from "../oci/reference.ts";
import type { openRegistrySink } from "../oci/registry/sink.ts";
import type { BlobSink } from "../oci/sink.ts";
import { Staging } from "../oci/staging.ts";
import type { BlobSource, Descriptor } from "../oci/store.ts";
import { requireWritable, resolveOutput } from "../output/atomic.ts";
import { defaultMtime } from "../squashfs/squashfs-options.ts";
import { byteString } from "../tree/path.ts";
import { build } from "./build.ts";
import { holdsImage } from "./convert.ts";
import { type Inspection, withImage } from "./inspect.ts";

export type { ExportOptions } from "../config/export-options.ts";

/** The image that was made. */
export interface ExportResult {
  /** Where it is, as it was named. */
  to: string;
  /** Names of it there. */
  tags: readonly string[];
  /** What the names lead to: `sha256:` and 64 digits. */
  digest: string;
  /** Of that: a manifest or an index. */
  mediaType: string;
  /** Bytes of all blobs. */
  size: number;
}

/**
 * Makes a container image of a bundle: its files as one layer, and its start as the config. The same
 * bundles and options give the same digests.
 *
 * @throws E_OPTION_*, E_EXPORT_*, E_OCI_*, E_OUTPUT_*, and what `build` and `inspect` throw
 *
 * @example
 * ```js
 * import { build, exportImage } from "fuselage-bundle";
 *
 * await build({ input: "hello", output: "hello.run" });
 * const { tags, digest } = await exportImage({ input: "hello.run", artifact: true, to: "oci:images" });
 * console.log(tags.join(), digest.length); // latest 71
 * ```
 */
export async function exportImage(options: ExportOptions): Promise<ExportResult> {
  checkExportOptions(options);
  const reference = parseReference(options.to);
  const workspace = new Workspace();
  let source: BlobSource | undefined;
  try {
    const staging = new Staging(workspace.path);
    const sink = await sinkFor(reference, options, staging);
    source = await baseOf(options, workspace.path);
    const around = { isDockerArchive: reference.transport === "docker-archive", source, staging };
    const inputs: Input[] = [];
    for (const input of [options.input, ...(options.more ?? [])]) {
      inputs.push(await inputOf(input, workspace.path, inputs.length, options.signal));
    }
    const make = options.artifact ? makeArtifact : makeFiles;
    const images: MadeImage[] = [];
    for (const input of inputs) images.push(await make(input, options, around));
    const tags = tagsOf(reference, options, inputs[0]?.name ?? "app");
    const root = await send(images, tags, sink).finally(() => sink.close());
    const { digest, mediaType } = root;
    const all = images.flatMap(({ descriptor, blobs }) => [{ descriptor }, ...blobs]);
    const sizes = new Map(all.map((one) => [one.descriptor.digest, one.descriptor.size]));
    const size = [...sizes.set(digest, root.size).values()].reduce((sum, one) => sum + one, 0);
    return { to: options.to, tags, digest, mediaType, size };
  } finally {
    await source?.close();
    workspace.remove();
  }
}

/**
 * What stands there already is looked at first: an image may take minutes to make.
 *
 * @throws E_EXPORT_TARGET, E_OPTION_VALUE, E_OUTPUT_*, and what `checkLayout` throws
 */
async function sinkFor(
  reference: ImageReference,
  { insecure, signal, tags = [] }: ExportOptions,
  staging: Staging,
): Promise<BlobSink> {
  switch (reference.transport) {
    case "oci":
      await checkLayout(reference.path);
      await requireWritable(reference.path);
      return new LayoutSink(reference.path, staging);
    case "oci-archive":
      await resolveOutput(reference.path);
      return new LayoutArchiveSink(reference.path, staging);
    case "docker-archive":
      await resolveOutput(reference.path);
      return new DockerArchiveSink(reference.path, staging);
    case "docker":
      if (reference.digest !== undefined) {
        throw errors.exportTarget(
          "an image is written under a tag, not by a digest",
          reference.digest,
        );
      }
      requireTags(tags);
      return registrySink(reference, { insecure, signal });
    default:
      throw errors.exportTarget("an image is not written there", reference.transport);
  }
}

/** @throws E_OPTION_VALUE for what would be another address */
function requireTags(tags: readonly string[]): void {
  const bad = tags.find((tag) => !isTag(tag));
  if (bad === undefined) return;
  const expected =
    "a tag of a registry: 1 to 128 letters, digits, _, . and -, at first neither . nor -";
  throw errors.optionValue("tags", expected, JSON.stringify(bad));
}

/** What speaks to registries is loaded where there is one. */
async function registrySink(...args: Parameters<typeof openRegistrySink>): Promise<BlobSink> {
  const loaded = await import("../oci/registry/sink.ts");
  return loaded.openRegistrySink(...args);
}

interface Input {
  /** File with an image. */
  file: string;
  /** As the user names it. */
  shown: string;
  /** Of the bundle. */
  name: string;
  /** What its project says of itself, each `K=V`. */
  labels: readonly string[];
}

/** Version and source of a project, by the names that the image specification has for them. */
async function projectLabels(input: string): Promise<string[]> {
  const text = await readFile(path.join(input, "package.json"), "utf8").catch(() => "{}");
  let project: { version?: unknown; repository?: unknown } | null = null;
  try {
    project = JSON.parse(text);
  } catch {} // whoever builds it says what is wrong with it
  const { version, repository } = project ?? {};
  const source = (repository as { url?: unknown } | undefined)?.url ?? repository;
  return Object.entries({ version, source }).flatMap(([key, value]) =>
    typeof value === "string" ? [`org.opencontainers.image.${key}=${value}`] : [],
  );
}

/** What holds no image is an app: it is built as `bundle build` does. */
async function inputOf(
  input: string,
  workspace: string,
  index: number,
  signal: AbortSignal | undefined,
): Promise<Input> {
  const plain = path.basename(input).replace(/\.(run|sfs|squashfs|AppImage)$/, "");
  if (await holdsImage(input)) return { file: input, shown: input, name: plain, labels: [] };
  const output = path.join(workspace, `app-${index}.run`);
  const { options } = await configuredOptions({ input, output }, { file: undefined, none: false });
  const name = options.name ?? path.basename(path.resolve(input));
  await build({ ...options, output, name, ...(signal && { signal }) });
  return { file: output, shown: input, name, labels: await projectLabels(input) };
}

/** What every image of an export has in common. */
interface Around {
  isDockerArchive: boolean;
  /** Of the image below; undefined: there is none. */
  source: BlobSource | undefined;
  staging: Staging;
}

/** @throws E_EXPORT_INPUT for a plain tar archive, which has no layers */
async function baseOf(
  { base, insecure, signal }: ExportOptions,
  workspace: string,
): Promise<BlobSource | undefined> {
  if (base === undefined) return undefined;
  const reference = parseReference(base);
  if (reference.transport === "tar") {
    throw errors.exportInput(base, "is a tar archive: layers are those of an image");
  }
  let count = 0;
  const newFile = () => path.join(workspace, `base-${count++}`);
  return openBlobs(reference, newFile, { insecure, signal });
}

/** Where a registry has the layers of a base already: they are not sent to it again. */
function mountedFrom({ base = "", to }: ExportOptions): readonly string[] {
  const [below, target] = [parseReference(base), parseReference(to)];
  const isSame =
    below.transport === "docker" && target.transport === "docker" && below.host === target.host;
  return isSame ? [below.repository] : [];
}

const archOf = ({ arch }: Inspection, options: ExportOptions) =>
  architectures.find((one) => one === arch) ?? options.arch ?? hostArchitecture() ?? "x86_64";

async function makeFiles(
  { file, name, labels: own }: Input,
  options: ExportOptions,
  { isDockerArchive, source, staging }: Around,
): Promise<MadeImage> {
  const { at, labels = [], signal } = options;
  return withImage(file, async (inspection, image) => {
    const { manifest } = inspection;
    const arch = archOf(inspection, options);
    const called = manifest?.name ?? byteString(name);
    return makeImage(
      {
        manifest,
        arch,
        entries: await imageEntries(image),
        placement: placementOf(manifest, called, at),
        base: source && (await readBase(source, arch, mountedFrom(options))),
        compression: isDockerArchive ? "none" : (options.compression ?? "gzip"),
        labels: [...own, ...labels],
        created: defaultMtime(),
        signal,
      },
      staging,
    );
  });
}

/** The file as the one layer of an artifact (OCI image specification, "Guidelines for Artifact Usage"). */
async function makeArtifact(
  { file, shown, name }: Input,
  options: ExportOptions,
  { staging }: Around,
): Promise<MadeImage> {
  const labels = Object.fromEntries(
    (options.labels ?? []).map((text) => [
      text.slice(0, text.indexOf("=")),
      text.slice(text.indexOf("=") + 1),
    ]),
  );
  return withImage(file, async (inspection, _image, handle) => {
    const state = await stateOf(handle, file);
    const { size } = state;
    const region = { path: file, offset: 0, size, state };
    const digest = await digestOfRegion(region);
    const title = file === shown ? path.basename(file) : `${name}.run`;
    const layer = {
      descriptor: {
        mediaType: mediaTypes.bundle,
        digest,
        size,
        annotations: { "org.opencontainers.image.title": title },
      },
      region,
    };
    const config = await staging.bytes(mediaTypes.empty, Buffer.from("{}"));
    const manifest = document({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      artifactType: mediaTypes.bundle,
      config: config.descriptor,
      layers: [layer.descriptor],
      ...(Object.keys(labels).length > 0 && { annotations: labels }),
    });
    const descriptor = {
      ...descriptorOf(manifest, archOf(inspection, options)),
      artifactType: mediaTypes.bundle,
    };
    // An app that was built for this lies in the workspace, which stays until all is written.
    return { manifest, descriptor, blobs: [layer, config] };
  });
}

/**
 * One image is its manifest, several are an index.
 *
 * @throws E_OPTION_CONFLICT for two of one machine
 */
async function send(
  images: readonly MadeImage[],
  tags: readonly string[],
  sink: BlobSink,
): Promise<Descriptor> {
  const machines = images.map(({ descriptor }) => descriptor.platform?.architecture);
  const twice = machines.find((machine, i) => machines.indexOf(machine) !== i);
  if (twice !== undefined) {
    throw errors.optionConflict((name) => `${name("more")}: two of them are for ${twice}`);
  }
  // At the same time: how many of them a sink really sends is for it to say.
  const blobs = images.flatMap((image) => image.blobs);
  await Promise.all(blobs.map((blob) => sink.blob(blob.descriptor, blob.region, blob.from)));
  const [first] = images;
  if (first !== undefined && images.length === 1) {
    return sink.manifest(mediaTypes.manifest, first.manifest, tags);
  }
  for (const { manifest } of images) await sink.manifest(mediaTypes.manifest, manifest);
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: images.map(({ descriptor }) => descriptor),
  };
  return sink.manifest(mediaTypes.index, Buffer.from(JSON.stringify(index)), tags);
}

/** Docker's archives name repositories too. */
function tagsOf(reference: ImageReference, { tags = [] }: ExportOptions, name: string): string[] {
  const tag = reference.transport === "tar" ? undefined : reference.tag;
  const own = tag === undefined ? [] : [tag];
  const all = [...new Set([...own, ...tags])];
  const named = all.length > 0 ? all : ["latest"];
  if (reference.transport !== "docker-archive") return named;
  const repository =
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "") || "app";
  return named.map((tag) => (/[:/]/.test(tag) ? tag : `${repository}:${tag}`));
}
