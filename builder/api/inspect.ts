/** What a file that holds a squashfs image says about itself. */
import type { FileHandle } from "node:fs/promises";
import { findSection, readText, SIGNATURE, UPDATE_INFO } from "../appimage/sections.ts";
import { type ElfFile, machineName } from "../elf/read.ts";
import * as errors from "../errors.ts";
import { appimageFormat, manifestFormat } from "../generated/spec.ts";
import { checkComplete, type LocatedImage, locateImage } from "../image/locate.ts";
import { withFile } from "../input/add-file.ts";
import { decodeManifest } from "../manifest/decode.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { type ImageReader, openImage } from "../squashfs/image-reader.ts";

/** What a file says about itself. */
export interface Inspection {
  /** A bundle has a manifest, an AppImage its magic or AppRun, an "elf" neither; an "image" has no program. */
  kind: "bundle" | "appimage" | "elf" | "image";
  /** Bytes of the file. */
  size: number;
  /** Machine of the program, as `uname -m` says it; undefined for a plain image. */
  arch: string | undefined;
  /** What a bundle starts; undefined for other files. */
  manifest: Manifest | undefined;
  /** What an AppImage says about itself, whoever made it. */
  appImage: AppImageFacts | undefined;
  /** Whether it carries a signature; `verify` says what that is worth. */
  signed: boolean;
  /** Where the image starts, bytes. */
  imageOffset: number;
}

/** What an AppImage says about itself. */
export interface AppImageFacts {
  /** Type of the AppImage, 1 or 2. */
  type: number;
  /** Where newer versions are, "" when it does not say. */
  updateInfo: string;
}

/**
 * Opens a file, finds its image and hands both to `use`; closes them when that is done.
 *
 * @throws E_INPUT_MISSING, E_FILE_UNREADABLE, E_ELF_*, E_MANIFEST_*, E_IMAGE_*
 */
export function withImage<T>(
  file: string,
  use: (inspection: Inspection, image: ImageReader, handle: FileHandle) => T | Promise<T>,
): Promise<T> {
  return withFile(file, async (handle, size) => {
    const found = await readFacts(handle, file, size).catch(errors.readingFailed(file));
    const image = openImage(handle.fd, found.located.offset, file);
    try {
      return await use(await inspectionOf(handle, found, image), image, handle);
    } finally {
      image.close();
    }
  });
}

/**
 * Opens a file as `withImage` does, and looks at it. It stays open while what was found is used, for work that is not reading
 * it: what fails then stays as it is, and is no failure to read the file.
 *
 * @throws as `withImage`, and whatever `look` and `use` throw
 */
export async function holdImage<Found, T>(
  file: string,
  use: (found: Found) => Promise<T>,
  look: (inspection: Inspection, image: ImageReader, handle: FileHandle) => Found,
): Promise<T> {
  const outcome = await withImage(file, async (...image) => {
    const found = look(...image);
    try {
      return { value: await use(found) };
    } catch (cause) {
      return { cause };
    }
  });
  if ("cause" in outcome) throw outcome.cause;
  return outcome.value;
}

/**
 * Reads what a bundle, another ELF with a squashfs image, or a plain image says about itself.
 *
 * @throws E_INPUT_MISSING, E_FILE_UNREADABLE, E_ELF_*, E_MANIFEST_*, E_IMAGE_*
 *
 * @example
 * ```js
 * import { build, inspect } from "fuselage-bundle";
 *
 * await build({ input: "hello", output: "hello.run", args: ["--quiet"] });
 * const { kind, signed, manifest } = await inspect("hello.run");
 * console.log(kind, signed); // bundle false
 * console.log(manifest.entry, manifest.args); // bin/hello [ '--quiet' ]
 * ```
 */
export function inspect(file: string): Promise<Inspection> {
  return withImage(file, (inspection) => inspection);
}

/** What is known of a file before its image is opened. */
interface Facts {
  located: LocatedImage;
  size: number;
  manifest: Manifest | undefined;
}

async function readFacts(handle: FileHandle, file: string, size: number): Promise<Facts> {
  const located = await locateImage(handle, file);
  const manifest = located.elf && (await readManifest(handle, located.elf, file));
  const imageSize = manifest?.imageSize ?? 0;
  if (located.available < imageSize) {
    throw errors.imageTruncated(file, located.offset + imageSize, size);
  }
  await checkComplete(handle, file, located.offset);
  return { located, size, manifest };
}

async function inspectionOf(
  handle: FileHandle,
  { located: { elf, offset }, size, manifest }: Facts,
  image: ImageReader,
): Promise<Inspection> {
  const type = elf && (await appImageTypeOf(elf, manifest, image));
  return {
    kind: elf === undefined ? "image" : kindOf(manifest, type),
    size,
    arch: elf && machineName(elf.machine),
    manifest,
    appImage:
      type === undefined
        ? undefined
        : { type, updateInfo: await sectionText(handle, elf, UPDATE_INFO) },
    signed: (await sectionText(handle, elf, SIGNATURE)) !== "",
    imageOffset: offset,
  };
}

/**
 * The type of an AppImage; undefined for another file. Users zero the magic of files that Docker,
 * qemu or binfmt_misc would not start. Then the manifest says it, or AppRun in the root of an image
 * that has no manifest: the runtime decides in the same way.
 */
async function appImageTypeOf(elf: ElfFile, manifest: Manifest | undefined, image: ImageReader) {
  const recorded = elf.appImageType ?? manifest?.appImageType;
  if (recorded !== undefined || manifest !== undefined) return recorded;
  const hasAppRun = (await image.list()).some(({ path }) => path === "AppRun");
  return hasAppRun ? appimageFormat.type : undefined;
}

/** The text of a section, "" where there is no such section. */
async function sectionText(handle: FileHandle, elf: ElfFile | undefined, name: string) {
  const section = elf && findSection(elf, name);
  return section === undefined ? "" : readText(handle, section);
}

/** The manifest of a bundle; other ELF files have no such section. */
async function readManifest(handle: FileHandle, elf: ElfFile, file: string) {
  const section = elf.sections.find(({ name }) => name === manifestFormat.section);
  if (section === undefined) return undefined;
  const { maxBytes } = manifestFormat;
  if (section.size > maxBytes) {
    throw errors.manifestMalformed(file, "its section is too large", {
      expected: `at most ${maxBytes} bytes`,
      actual: `${section.size}`,
    });
  }
  const bytes = Buffer.alloc(section.size);
  const { bytesRead } = await handle.read(bytes, 0, section.size, section.offset);
  if (bytesRead < section.size) {
    throw errors.manifestMalformed(file, "its section ends outside the file");
  }
  return decodeManifest(bytes, file);
}

function kindOf(manifest: Manifest | undefined, type: number | undefined): Inspection["kind"] {
  if (manifest !== undefined) return "bundle";
  return type === undefined ? "elf" : "appimage";
}
