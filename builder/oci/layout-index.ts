/**
 * `index.json` of an image layout: all its images by their names, changed by several exports at the same time.
 *
 * Each of them locks the layout's folder for the moment in which it reads the index and puts another one in its place.
 * The lock (flock(2)) ends with whoever holds it, also by SIGKILL, and leaves no file behind. Tools that know no lock
 * are seen by the index that they left: it is read once more directly before it is replaced.
 */
import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { writeAtomically } from "../output/atomic.ts";
import { lockedFolder } from "../output/folder-lock.ts";
import { FolderFiles } from "./files.ts";
import { Document, type JsonObject, parseObject } from "./json.ts";
import { mediaTypes } from "./media-types.ts";
import { type Descriptor, DOCUMENT_LIMIT, requireLimit } from "./store.ts";

const INDEX = "index.json";
/** So often the index may change while another one is being written. */
const MAX_TRIES = 100;

/** What is there already, of which each entry is an object with texts as annotations. @throws E_OCI_*, E_FILE_* */
export async function readIndex(files: FolderFiles): Promise<JsonObject> {
  const bytes = await files.document(INDEX);
  if (bytes === undefined) return {};
  const object = parseObject(bytes, `${files.shown}: ${INDEX}`);
  const index = new Document(object, `${files.shown}: ${INDEX}`);
  for (const one of index.objects("manifests")) one.map("annotations");
  return object;
}

/**
 * Puts an index in the place of the one that is there, or of none.
 *
 * @param change from what it lists to what it is to list: called anew where the index has changed meanwhile
 * @throws E_OCI_*, E_FILE_*, E_OUTPUT_*
 */
export async function changeIndex(
  folder: string,
  change: (there: readonly Descriptor[]) => readonly Descriptor[],
): Promise<void> {
  const files = new FolderFiles(folder);
  const file = path.join(folder, INDEX);
  const lock = await lockedFolder(folder);
  try {
    await writeAtomically(file, 0o666, async (handle) => {
      for (let tries = 1; ; tries++) {
        const there = await readIndex(files);
        await rewrite(handle, indexWith(there, change, file));
        // With what follows to be written to disk no more, only the rename lies between this and the new index.
        await handle.sync();
        if (isSame(there, await readIndex(files))) return;
        if (tries === MAX_TRIES) throw errors.outputFailed(file, "replacing it", new Restless());
      }
    });
  } finally {
    await lock.close();
  }
}

class Restless extends Error {
  override message = "another program changes it all the time";
}

const isSame = (a: JsonObject, b: JsonObject) => JSON.stringify(a) === JSON.stringify(b);

/** What else it says of itself stays. @throws E_OCI_LIMIT */
function indexWith(
  there: JsonObject,
  change: (there: readonly Descriptor[]) => readonly Descriptor[],
  shown: string,
): Buffer {
  const manifests = change((there["manifests"] ?? []) as Descriptor[]);
  const index = { ...there, schemaVersion: 2, mediaType: mediaTypes.index, manifests };
  const bytes = Buffer.from(JSON.stringify(index));
  requireLimit({ size: bytes.length }, DOCUMENT_LIMIT, shown);
  return bytes;
}

async function rewrite(handle: FileHandle, bytes: Buffer): Promise<void> {
  await handle.truncate(0);
  for (let at = 0; at < bytes.length; ) {
    at += (await handle.write(bytes, at, bytes.length - at, at)).bytesWritten;
  }
}
