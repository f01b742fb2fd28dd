/** An image layout in a folder: a new one, or one more image in a layout that is there. */
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { copyFile, open, readFile, rename, stat } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { keepTemporary, removeTemporary, temporaryFile } from "../host/temporary.ts";
import { writeAtomically } from "../output/atomic.ts";
import { publishDirectory } from "../output/output-directory.ts";
import {
  allBlobs,
  blobName,
  CollectingSink,
  type FinishedImage,
  indexEntries,
  LAYOUT,
  REF_NAME,
} from "./collecting-sink.ts";
import { bytesOfRegion } from "./files.ts";
import { parseObject } from "./json.ts";
import { mediaTypes } from "./media-types.ts";
import type { StagedBlob } from "./staging.ts";
import type { Descriptor } from "./store.ts";

export class LayoutSink extends CollectingSink {
  /** @throws E_EXTRACT_EXISTS where another folder has the name, E_OUTPUT_*, E_OCI_* */
  protected async write(image: FinishedImage): Promise<void> {
    if (existsSync(path.join(this.shown, "oci-layout"))) {
      await addTo(this.shown, image);
      return;
    }
    await publishDirectory(this.shown, async (folder) => {
      chmodSync(folder, 0o777 & ~process.umask());
      await addTo(folder, image);
    });
  }
}

async function addTo(folder: string, image: FinishedImage): Promise<void> {
  for (const blob of allBlobs(image)) await addBlob(folder, blob);
  const index = await readIndex(folder);
  const added = indexEntries(image);
  const names = new Set(image.tags);
  const kept = index.filter((one) => !names.has(one.annotations?.[REF_NAME] ?? ""));
  // What leads to the image comes last: until then nobody finds it.
  await writeJson(folder, "oci-layout", LAYOUT);
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [...kept, ...added],
  };
  await writeJson(folder, "index.json", document);
}

async function writeJson(folder: string, name: string, document: object): Promise<void> {
  await writeAtomically(path.join(folder, name), 0o666, (handle) =>
    handle.writeFile(JSON.stringify(document)),
  );
}

/** Images that are there already; nothing of them is changed. */
async function readIndex(folder: string): Promise<Descriptor[]> {
  const file = path.join(folder, "index.json");
  const bytes = await readFile(file).catch((cause: unknown) => {
    if (errors.errnoCode(cause) === "ENOENT") return undefined;
    throw errors.fileUnreadable(file, cause);
  });
  if (bytes === undefined) return [];
  const { manifests } = parseObject(bytes, file);
  if (!Array.isArray(manifests)) throw errors.ociInvalid(file, "has no list of manifests");
  return manifests as Descriptor[];
}

async function addBlob(folder: string, { descriptor, region }: StagedBlob): Promise<void> {
  const file = path.join(folder, blobName(descriptor));
  mkdirSync(path.dirname(file), { recursive: true });
  const there = await stat(file).catch(() => undefined);
  if (there?.isFile() && there.size === descriptor.size) return;
  const temporary = temporaryFile(path.dirname(file));
  try {
    const whole = region.offset === 0 && (await stat(region.path)).size === region.size;
    if (whole) await copyFile(region.path, temporary);
    else {
      const handle = await open(temporary, "wx", 0o666);
      try {
        for await (const piece of bytesOfRegion(region)) await handle.writeFile(piece);
      } finally {
        await handle.close();
      }
    }
    chmodSync(temporary, 0o666 & ~process.umask());
    await rename(temporary, file);
    keepTemporary(temporary);
  } catch (cause) {
    removeTemporary(temporary);
    throw cause instanceof errors.BundleError ? cause : errors.outputFailed(file, "writing", cause);
  }
}
