/** A `.run` file: runtime with manifest, then the image. */
import { type FileHandle, open } from "node:fs/promises";
import { assemble, imageOffsetFor, type RuntimeElf } from "../elf/put-manifest.ts";
import { readElf } from "../elf/read.ts";
import * as errors from "../errors.ts";
import { encodeManifest, manifestBound } from "../manifest/encode.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { writeAtomically } from "./atomic.ts";

/** What an image writer must tell about its image. */
interface WrittenImage {
  /** Bytes with padding, a multiple of 4096. */
  paddedBytes: number;
}

export interface RunFile<Image extends WrittenImage> {
  /** Bytes of the whole file. */
  size: number;
  /** Bytes before the image. */
  imageOffset: number;
  /** What the bundle knows about itself. */
  manifest: Manifest;
  /** What is known of its image. */
  image: Image;
}

/** Steps that some formats take beside those of every bundle. */
export interface Finish {
  /** Changes bytes of all that stands before the image, outside the manifest. */
  front?(bytes: Buffer): void;
  /** Is handed the complete file before it gets its name, and may change sections of the ELF. */
  complete?(handle: FileHandle): Promise<void>;
  /** The file as the user named it. */
  shown?: string;
}

/**
 * Reads a runtime ELF.
 *
 * @throws E_FILE_UNREADABLE, E_ELF_MALFORMED
 */
export async function readRuntime(file: string): Promise<RuntimeElf> {
  const handle = await open(file).catch((cause: unknown) => {
    throw errors.fileUnreadable(file, cause);
  });
  try {
    const elf = await readElf(handle, file);
    return { bytes: await handle.readFile().catch(errors.readingFailed(file)), elf, file };
  } finally {
    await handle.close();
  }
}

/**
 * Writes the file. The image comes first, because the manifest that stands before it holds its
 * size; the space is reserved for the widest one.
 *
 * @param file result of `resolveOutput`
 * @param writeImage writes the image into the descriptor at the offset (bytes)
 */
export async function writeRun<Image extends WrittenImage>(
  file: string,
  runtime: RuntimeElf,
  invocation: Omit<Manifest, "imageSize">,
  writeImage: (fd: number, offset: number) => Promise<Image>,
  finish: Finish = {},
): Promise<RunFile<Image>> {
  const imageOffset = imageOffsetFor(runtime, manifestBound(invocation));
  const write = async (handle: FileHandle) => {
    const image = await writeImage(handle.fd, imageOffset);
    const manifest = { ...invocation, imageSize: image.paddedBytes };
    const front = assemble(runtime, encodeManifest(manifest), imageOffset);
    finish.front?.(front);
    await handle.write(front, 0, front.length, 0);
    await finish.complete?.(handle);
    return { size: imageOffset + image.paddedBytes, imageOffset, manifest, image };
  };
  return writeAtomically(file, 0o777, write, finish.shown);
}
