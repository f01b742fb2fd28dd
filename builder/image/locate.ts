/** Finds the squashfs image in a file: after an ELF, or the file itself. */
import type { FileHandle } from "node:fs/promises";
import { alignImage, type ElfFile, hasElfMagic, readElf } from "../elf/read.ts";
import * as errors from "../errors.ts";
import { squashfsFormat } from "../generated/spec.ts";

const MAGIC = Buffer.from(squashfsFormat.magic, "latin1");
const BIG_ENDIAN_MAGIC = Buffer.from(squashfsFormat.bigEndianMagic, "latin1");

export interface LocatedImage {
  /** Bytes from the start of the file. */
  offset: number;
  /** Bytes from there to the end of the file. */
  available: number;
  /** The program before the image; undefined in a plain squashfs file. */
  elf: ElfFile | undefined;
}

/**
 * Finds where the image starts and checks that one is there.
 *
 * @param file name for messages
 * @throws E_ELF_UNSUPPORTED, E_ELF_MALFORMED, E_IMAGE_MISSING, E_IMAGE_TRUNCATED
 */
export async function locateImage(handle: FileHandle, file: string): Promise<LocatedImage> {
  const size = (await handle.stat()).size;
  const head = await readAt(handle, 0, 4);
  if (head.equals(MAGIC)) return { offset: 0, available: size, elf: undefined };
  if (head.equals(BIG_ENDIAN_MAGIC)) {
    throw errors.imageUnsupported(file, "this is a big-endian squashfs image", {
      expected: "squashfs 4.0",
    });
  }
  if (!hasElfMagic(head)) {
    throw errors.elfUnsupported(file, "neither an ELF file nor a squashfs image", {
      actual: size === 0 ? "an empty file" : `a file that starts with bytes ${hex(head)}`,
    });
  }
  const elf = await readElf(handle, file);
  if (elf.appImageType === 1) {
    throw errors.imageUnsupported(file, "this is an AppImage of type 1, with an ISO 9660 image", {
      expected: "type 2, with a squashfs image",
      hint: "Unpack it (it is mounted as an ISO image) and build an AppImage of the folder.",
    });
  }
  // The specification aligns the image to a page; appimagetool puts it right behind the ELF.
  const unaligned = (await readAt(handle, elf.endOffset, 4)).equals(MAGIC);
  const offset = unaligned ? elf.endOffset : alignImage(elf.endOffset);
  const magic = await readAt(handle, offset, 4);
  if (!magic.equals(MAGIC)) {
    const actual = magic.length === 0 ? `the end of the file at byte ${size}` : hex(magic);
    throw errors.imageMissing(file, offset, { expected: `bytes ${hex(MAGIC)}`, actual });
  }
  return { offset, available: size - offset, elf };
}

const SUPERBLOCK = squashfsFormat.superblock;

/**
 * Checks that the file reaches as far as the image's superblock says, so that a copy that was cut
 * is told apart from one that was changed. Other versions than 4 are left to the reader.
 *
 * @param offset of the image, bytes
 * @throws E_IMAGE_TRUNCATED
 */
export async function checkComplete(
  handle: FileHandle,
  file: string,
  offset: number,
): Promise<void> {
  const { size } = await handle.stat();
  const superblock = await readAt(handle, offset, SUPERBLOCK.size);
  if (superblock.length < SUPERBLOCK.size) {
    throw errors.imageTruncated(file, offset + SUPERBLOCK.size, size);
  }
  if (superblock.readUInt16LE(SUPERBLOCK.major) !== squashfsFormat.major) return;
  const end = offset + Number(superblock.readBigUInt64LE(SUPERBLOCK.bytesUsed));
  if (end > size) throw errors.imageTruncated(file, end, size);
}

async function readAt(handle: FileHandle, offset: number, size: number): Promise<Buffer> {
  const buffer = Buffer.alloc(size);
  const { bytesRead } = await handle.read(buffer, 0, size, offset);
  return buffer.subarray(0, bytesRead);
}

function hex(bytes: Buffer): string {
  return bytes.toString("hex").replace(/(..)(?=.)/g, "$1 ");
}
