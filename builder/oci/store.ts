/**
 * Blobs of a container image, wherever they lie: what every way to an image (layout, archive, registry)
 * has in common. The terms are those of the OCI image specification 1.1.
 */
import { createHash, type Hash } from "node:crypto";
import * as errors from "../errors.ts";
import type { FileIdentity } from "../tree/node.ts";

/** What a manifest of an index is for. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** What one blob says of another one. */
export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:HEX` or `sha512:HEX`, as `checkedDigest` lets it through. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
}

/** Bytes of a file: a blob that lies in an archive is not copied out of it. */
export interface Region {
  readonly path: string;
  /** What the caller calls the file, where that is not its path. */
  readonly shown?: string | undefined;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly size: number;
  /** What the file was when something was learned of its bytes; any other file in its place is refused. */
  readonly state?: FileState | undefined;
}

/** What a file is known again by. */
export interface FileState {
  /** Bytes. */
  readonly size: number;
  readonly identity: FileIdentity;
}

/** Where the blobs of an image are. */
export interface BlobSource {
  /** Where it comes from, for messages. */
  readonly shown: string;
  /** The manifest or index that the source's name leads to. */
  root(): Promise<Descriptor>;
  /**
   * A small blob (manifest, index, config), whole: its size and digest are checked.
   *
   * @param limit bytes that it may have at most
   */
  small(descriptor: Descriptor, limit: number): Promise<Buffer>;
  /**
   * A blob as a part of a file that stays until `close`. Its size is checked; its digest is by whoever
   * reads it, in the same pass, so that nothing is read twice.
   */
  file(descriptor: Descriptor): Promise<Region>;
  close(): Promise<void>;
}

/** Bytes of a manifest, an index or a config. Registries take 4 MiB. */
export const DOCUMENT_LIMIT = 4 << 20;

const lengths = { sha256: 64, sha512: 128 } as const;

/**
 * A digest that can be checked, and that is a safe name of a file.
 *
 * @param shown what says it, for the message
 * @throws E_OCI_INVALID
 */
export function checkedDigest(digest: unknown, shown: string): string {
  const text = typeof digest === "string" ? digest : "";
  const [, algorithm = "", hex = ""] = /^([a-z0-9]+):([0-9a-f]+)$/.exec(text) ?? [];
  if (Object.hasOwn(lengths, algorithm)) {
    if (hex.length === lengths[algorithm as keyof typeof lengths]) return text;
  }
  throw errors.ociInvalid(shown, "has a digest that cannot be checked", {
    expected: "sha256: and 64 hexadecimal digits, or sha512: and 128",
    actual: JSON.stringify(digest) ?? "none",
  });
}

/** How bytes are named in a manifest. */
export function descriptorOf(mediaType: string, bytes: Uint8Array): Descriptor {
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { mediaType, digest, size: bytes.length };
}

/** The hash that a checked digest is made by. */
export function hashOf(digest: string): Hash {
  return createHash(digest.slice(0, digest.indexOf(":")));
}

/**
 * @param shown the blob, for the message
 * @throws E_OCI_DIGEST
 */
export function requireDigest(hash: Hash, digest: string, shown: string): void {
  const actual = `${digest.slice(0, digest.indexOf(":"))}:${hash.digest("hex")}`;
  if (actual !== digest) throw errors.ociDigest(shown, digest, actual);
}

/**
 * Checks a blob that is in memory.
 *
 * @throws E_OCI_SIZE, E_OCI_DIGEST
 */
export function requireBlob(bytes: Uint8Array, { digest, size }: Descriptor, shown: string): void {
  if (bytes.length !== size) throw errors.ociSize(shown, size, bytes.length);
  requireDigest(hashOf(digest).update(bytes), digest, shown);
}

/** @throws E_OCI_LIMIT where a blob or its descriptor has more than `limit` bytes */
export function requireLimit(
  { size }: { readonly size: number },
  limit: number,
  shown: string,
): void {
  if (size > limit) {
    throw errors.ociLimit(shown, "is too large for a manifest, an index or a config", {
      expected: `at most ${limit} bytes`,
      actual: `${size}`,
    });
  }
}
