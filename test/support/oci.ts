/** Image layouts made by hand, with what no well-meaning program writes, and read again. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

export interface Blob {
  mediaType: string;
  digest: string;
  size: number;
}

export const sha256 = (bytes: Buffer) =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export const types = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
};

/** A frame whose blocks are not compressed (RFC 8878, 3.1.1): Node 20 has no zstd. */
function zstdFrame(bytes: Buffer): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0]);
  header.writeUInt32LE(bytes.length, 5);
  const parts: Buffer[] = [header];
  const most = 128 << 10;
  for (let at = 0; at === 0 || at < bytes.length; at += most) {
    const block = bytes.subarray(at, at + most);
    const start = Buffer.alloc(3);
    start.writeUIntLE((block.length << 3) | (at + most >= bytes.length ? 1 : 0), 0, 3);
    parts.push(start, block);
  }
  return Buffer.concat(parts);
}

const compressions = {
  none: { ending: "", compress: (bytes: Buffer) => bytes },
  gzip: { ending: "+gzip", compress: (bytes: Buffer) => gzipSync(bytes) },
  zstd: { ending: "+zstd", compress: zstdFrame },
};

/** A layout in a folder, one blob after the other. */
export class Layout {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
    mkdirSync(`${dir}/blobs/sha256`, { recursive: true });
    writeFileSync(`${dir}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  }

  blob(mediaType: string, content: Buffer | object): Blob {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const digest = sha256(bytes);
    writeFileSync(blobFile(this.dir, digest), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  layer(tar: Buffer, how: keyof typeof compressions = "gzip"): Blob {
    const { ending, compress } = compressions[how];
    return this.blob(types.layer + ending, compress(tar));
  }

  /** @param config what stands in it beside rootfs and platform */
  image(tars: readonly Buffer[], given: ImageChoices = {}): Blob {
    const { config = {}, how, layers = tars.map((tar) => this.layer(tar, how)), ...more } = given;
    const rootfs = { type: "layers", diff_ids: given.diffIds ?? tars.map(sha256) };
    const described = { architecture: "amd64", os: "linux", ...more.platform, config, rootfs };
    return this.blob(types.manifest, {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: this.blob(types.config, described),
      layers,
    });
  }

  /** @param entries descriptors, each under the name it is for */
  index(...entries: object[]): void {
    writeFileSync(
      `${this.dir}/index.json`,
      JSON.stringify({ schemaVersion: 2, manifests: entries }),
    );
  }
}

interface ImageChoices {
  config?: object;
  how?: keyof typeof compressions;
  layers?: readonly object[];
  diffIds?: readonly string[];
  platform?: { architecture?: string; os?: string };
}

export const named = (blob: Blob, name: string) => ({
  ...blob,
  annotations: { "org.opencontainers.image.ref.name": name },
});

/** @param layout its folder */
export const blobFile = (layout: string, digest: string) =>
  `${layout}/blobs/${digest.replace(":", "/")}`;

/** A blob that is JSON. */
export const readBlob = (layout: string, digest: string) =>
  JSON.parse(readFileSync(blobFile(layout, digest), "utf8"));

/** Descriptor, manifest and config of the image that a layout has under a tag. */
export function imageOf(layout: string, tag = "latest") {
  const { manifests } = JSON.parse(readFileSync(`${layout}/index.json`, "utf8"));
  const descriptor = manifests.find(
    ({ annotations }: { annotations?: Record<string, string> }) =>
      annotations?.["org.opencontainers.image.ref.name"] === tag,
  );
  const manifest = readBlob(layout, descriptor.digest);
  return { descriptor, manifest, config: readBlob(layout, manifest.config.digest) };
}
