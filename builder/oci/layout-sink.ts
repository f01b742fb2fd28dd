/** An image layout in a folder: a new one, or one more image in a layout that is there. */
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { copyFile, lstat, open, rename, stat } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { keepTemporary, removeTemporary, temporaryFile } from "../host/temporary.ts";
import { isNamed, writeAtomically } from "../output/atomic.ts";
import { freeDirectory, publishDirectory } from "../output/output-directory.ts";
import {
  allBlobs,
  blobName,
  CollectingSink,
  type FinishedImage,
  indexEntries,
  LAYOUT,
  REF_NAME,
} from "./collecting-sink.ts";
import { bytesOfRegion, FolderFiles, openRegion, requireState, stateOf } from "./files.ts";
import { requireVersion } from "./layout.ts";
import { changeIndex, readIndex } from "./layout-index.ts";
import type { StagedBlob } from "./staging.ts";
import { type Descriptor, hashOf, type Region } from "./store.ts";

const isLayout = (folder: string) => existsSync(path.join(folder, "oci-layout"));

/**
 * Whether an image can go there is to be known before it is made.
 *
 * @throws E_EXTRACT_EXISTS, E_EXTRACT_FAILED, E_OCI_*, E_FILE_*
 */
export async function checkLayout(folder: string): Promise<void> {
  if (!isLayout(folder) && (await isFree(folder))) return;
  const files = new FolderFiles(folder);
  await requireVersion(files);
  await readIndex(files);
}

/**
 * Whether a layout can be made there: nothing, or an empty folder.
 *
 * @returns false: another export made a layout of this name meanwhile
 */
async function isFree(folder: string): Promise<boolean> {
  try {
    await freeDirectory(folder);
    return true;
  } catch (cause) {
    if (isLayout(folder)) return false;
    throw cause;
  }
}

export class LayoutSink extends CollectingSink {
  /** @throws E_EXTRACT_EXISTS where another folder has the name, E_OUTPUT_*, E_OCI_*, E_FILE_* */
  protected async write(image: FinishedImage): Promise<void> {
    if (!isLayout(this.shown) && (await madeNew(this.shown, image))) return;
    await requireVersion(new FolderFiles(this.shown));
    await addTo(this.shown, image);
  }
}

/**
 * Makes a layout with one image in it.
 *
 * @returns false: another export made one of this name meanwhile
 */
async function madeNew(folder: string, image: FinishedImage): Promise<boolean> {
  try {
    await publishDirectory(folder, async (temporary) => {
      chmodSync(temporary, 0o777 & ~process.umask());
      await writeAtomically(path.join(temporary, "oci-layout"), 0o666, (handle) =>
        handle.writeFile(JSON.stringify(LAYOUT)),
      );
      await addTo(temporary, image);
    });
    return true;
  } catch (cause) {
    if (isLayout(folder)) return false;
    throw cause;
  }
}

async function addTo(folder: string, image: FinishedImage): Promise<void> {
  await addBlobs(folder, allBlobs(image));
  const names = new Set(image.tags);
  // What leads to the image comes last: until then nobody finds it.
  await changeIndex(folder, (there) => [
    ...there.filter((one) => !names.has(one.annotations?.[REF_NAME] ?? "")),
    ...indexEntries(image),
  ]);
}

/** All of them, or on a full disk none. */
async function addBlobs(folder: string, blobs: readonly StagedBlob[]): Promise<void> {
  const written = new Map<string, Blob>();
  try {
    for (const { descriptor, region } of blobs) {
      const file = path.join(folder, blobName(descriptor));
      await ownFolder(path.join(folder, "blobs"));
      await ownFolder(path.dirname(file));
      if (!(await holds(file, descriptor))) await copyTo({ file, descriptor }, region, written);
    }
    for (const [temporary, blob] of written) {
      await publish(temporary, blob).catch((cause: unknown) => {
        throw errors.errnoCode(cause) === undefined
          ? cause
          : errors.outputFailed(blob.file, "renaming the temporary file", cause);
      });
      written.delete(temporary);
    }
  } finally {
    for (const temporary of written.keys()) removeTemporary(temporary);
  }
}

/** What a temporary file becomes. */
interface Blob {
  file: string;
  descriptor: Descriptor;
}

/**
 * Gives a blob its name. One that another export has put there meanwhile stays: its image may be read by now, and
 * whoever reads it would find another file in its place.
 */
async function publish(temporary: string, { file, descriptor }: Blob): Promise<void> {
  if (await isNamed(temporary, file)) return;
  if (await holds(file, descriptor)) return removeTemporary(temporary);
  await rename(temporary, file);
  keepTemporary(temporary);
}

/**
 * Makes a folder be there. Layouts may share their blobs by a link; one of another user's is not followed, or whoever
 * owns a layout could have root write anywhere.
 *
 * @throws E_OUTPUT_*
 */
async function ownFolder(dir: string): Promise<void> {
  const there = await lstat(dir).catch(() => undefined);
  const isForeign = there?.isSymbolicLink() && ![0, process.getuid?.()].includes(there.uid);
  const isFolder = (await stat(dir).catch(() => undefined))?.isDirectory();
  if (there !== undefined && (isForeign || !isFolder)) throw errors.outputNotDirectory(dir);
  try {
    mkdirSync(dir, { recursive: true });
  } catch (cause) {
    throw errors.outputFailed(dir, "creating the folder", cause);
  }
}

/** Whether a blob is there: another one of its size, of a layout that was damaged, is not. */
async function holds(file: string, { digest, size }: Descriptor): Promise<boolean> {
  const there = await stat(file).catch(() => undefined);
  if (!there?.isFile() || there.size !== size) return false;
  const hash = hashOf(digest);
  for await (const piece of bytesOfRegion({ path: file, offset: 0, size })) hash.update(piece);
  return digest.endsWith(`:${hash.digest("hex")}`);
}

/** Where a blob is all of its file, the kernel copies it, or shares its blocks. */
async function copiedWhole(region: Region, to: string): Promise<boolean> {
  const from = await openRegion(region);
  try {
    const { size } = await stateOf(from, region.path);
    if (region.offset !== 0 || size !== region.size) return false;
    await copyFile(`/proc/self/fd/${from.fd}`, to);
    await requireState(from, region);
    return true;
  } finally {
    await from.close();
  }
}

/** @param written takes the temporary file, and what it becomes */
async function copyTo(blob: Blob, region: Region, written: Map<string, Blob>): Promise<void> {
  const { file } = blob;
  const temporary = temporaryFile(path.dirname(file));
  written.set(temporary, blob);
  try {
    if (!(await copiedWhole(region, temporary))) {
      const handle = await open(temporary, "wx", 0o666);
      try {
        for await (const piece of bytesOfRegion(region)) await handle.writeFile(piece);
      } finally {
        await handle.close();
      }
    }
    chmodSync(temporary, 0o666 & ~process.umask());
  } catch (cause) {
    throw cause instanceof errors.BundleError ? cause : errors.outputFailed(file, "writing", cause);
  }
}
