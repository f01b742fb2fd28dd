/** Squashfs image + recorded invocation → bundle. The image is appended as it is. */
import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { type AssembleOptions, resolveAssembleOptions } from "../config/assemble-options.ts";
import { alignImage, hasElfMagic } from "../elf/read.ts";
import * as errors from "../errors.ts";
import { squashfsFormat, version } from "../generated/spec.ts";
import { isLink, runtimePath } from "../host/paths.ts";
import { checkComplete } from "../image/locate.ts";
import type { SuperblockFacts } from "../native/addon.ts";
import { kindOf, resolveOutput } from "../output/atomic.ts";
import { writeAt } from "../output/write-at.ts";
import { type RunFile, readRuntime, writeRun } from "../output/write-bundle.ts";
import { openImage } from "../squashfs/image-reader.ts";
import { byteString } from "../tree/path.ts";

/** Bytes that are copied at once. */
const CHUNK = 1 << 20;

/** The image that was appended: what its superblock says, and its sizes. */
export interface AppendedImage extends SuperblockFacts {
  /** Bytes of the archive file. */
  fileBytes: number;
  /** Bytes with padding, a multiple of 4096. */
  paddedBytes: number;
}

/** The bundle that was made. */
export interface AssembleResult extends RunFile<AppendedImage> {
  /** Absolute path of the bundle. */
  output: string;
}

/**
 * Appends a squashfs image, byte for byte, to a runtime with a recorded invocation. Behind an image
 * that is not padded to 4096 bytes come zero bytes. Nothing is written under the output's name
 * before all has succeeded.
 *
 * @throws BundleError; docs/errors.md lists the codes
 *
 * @example
 * ```js
 * import { assembleBundle, pack } from "fuselage-bundle";
 *
 * await pack({ input: "hello", output: "hello.sfs" });
 * const { manifest } = await assembleBundle({
 *   archive: "hello.sfs",
 *   output: "greet.run",
 *   // The image appears as $FUSELAGE_STATIC/app, and a program of it is run.
 *   invocation: ["--static=app:/proc/self/exe", "--run", "app/bin/hello"],
 * });
 * console.log(manifest.name); // greet
 * ```
 */
export async function assembleBundle(given: AssembleOptions): Promise<AssembleResult> {
  const options = resolveAssembleOptions(given);
  const output = await resolveOutput(options.output);
  if ((await realpath(options.archive).catch(() => undefined)) === output) {
    throw errors.optionConflict(
      (name) => `${name("archive")} and ${name("output")} name the same file`,
    );
  }
  const runtime = await readRuntime(runtimePath(options.arch));
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const source = await open(options.archive, flags).catch((cause: unknown) => {
    if (errors.errnoCode(cause) === "ENOENT")
      throw errors.inputMissing(options.archive, cause, isLink(options.archive));
    throw errors.fileUnreadable(options.archive, cause);
  });
  try {
    const checked = checkedImage(source, options.archive);
    const { facts, size } = await checked.catch(errors.readingFailed(options.archive));
    const manifest = {
      name: byteString(options.name),
      invocation: options.invocation.map(byteString),
      args: [],
      env: [],
      noRuntimeOptions: options.runtimeOptions === false,
      version,
      arch: options.arch,
    };
    const writeImage = async (fd: number, offset: number) => {
      await append(source, size, options.archive, fd, offset);
      const paddedBytes = alignImage(size);
      await writeAt(fd, Buffer.alloc(paddedBytes - size), offset + size);
      return { ...facts, fileBytes: size, paddedBytes };
    };
    const finish = { shown: options.output };
    const file = await writeRun(output, runtime, manifest, writeImage, finish);
    return { ...file, output };
  } finally {
    await source.close();
  }
}

/**
 * Checks that the file is a whole squashfs image as far as its superblock and tables tell.
 *
 * @returns what the superblock says, and the bytes of the file
 */
async function checkedImage(
  source: FileHandle,
  file: string,
): Promise<{ facts: SuperblockFacts; size: number }> {
  const stats = await source.stat();
  if (!stats.isFile()) throw errors.archiveFormat(file, `a ${kindOf(stats)}`);
  const head = Buffer.alloc(4);
  await source.read(head, 0, 4, 0);
  const magic = head.toString("latin1");
  if (magic === squashfsFormat.bigEndianMagic) {
    throw errors.imageUnsupported(file, "this is a big-endian squashfs image", {
      expected: "squashfs 4.0, which is little-endian",
      hint: "Unpack it and pack it again: bundle pack, or mksquashfs.",
    });
  }
  if (magic !== squashfsFormat.magic) throw errors.archiveFormat(file, formatOf(magic, stats.size));
  await checkComplete(source, file, 0);
  const image = openImage(source.fd, 0, file);
  image.close();
  return { facts: image.facts, size: stats.size };
}

/** What a file is instead of a squashfs image, by its first four bytes. */
function formatOf(magic: string, size: number): string {
  if (size === 0) return "an empty file";
  if (hasElfMagic(Buffer.from(magic, "latin1"))) return "an ELF file";
  if (magic.startsWith("PK")) return "a zip file";
  return `a file that starts with bytes ${Buffer.from(magic, "latin1").toString("hex")}`;
}

/** Copies the file into the descriptor at the offset (bytes). */
async function append(
  source: FileHandle,
  size: number,
  file: string,
  fd: number,
  offset: number,
): Promise<void> {
  const buffer = Buffer.alloc(Math.min(CHUNK, size));
  for (let done = 0; done < size; ) {
    const wanted = Math.min(buffer.length, size - done);
    const { bytesRead } = await source.read(buffer, 0, wanted, done).catch((cause: unknown) => {
      throw errors.fileUnreadable(file, cause);
    });
    if (bytesRead === 0) throw errors.fileChanged(file, "it became shorter");
    await writeAt(fd, buffer.subarray(0, bytesRead), offset + done);
    done += bytesRead;
  }
}
