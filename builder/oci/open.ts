/** From the name of an image to its blobs. */
import * as errors from "../errors.ts";
import { openArchive } from "./archive.ts";
import { DockerArchiveSource } from "./docker-archive.ts";
import { FolderFiles, isFolder } from "./files.ts";
import { LayoutSource } from "./layout.ts";
import type { ImageReference } from "./reference.ts";
import type { RegistryOptions } from "./registry/source.ts";
import type { BlobSource } from "./store.ts";

/**
 * @param newFile a name in the workspace for what has to be copied
 * @throws E_INPUT_MISSING, E_OCI_*, E_FILE_*, E_REGISTRY_*
 */
export async function openBlobs(
  reference: Exclude<ImageReference, { transport: "tar" }>,
  newFile: () => string,
  registry: RegistryOptions,
): Promise<BlobSource> {
  switch (reference.transport) {
    case "oci":
      if (!(await isFolder(reference.path))) {
        throw errors.inputNotDirectory(reference.path, "a file", "the folder of an image layout");
      }
      return new LayoutSource(new FolderFiles(reference.path), reference.tag);
    case "oci-archive":
      return new LayoutSource(await openArchive(reference.path, newFile), reference.tag);
    case "docker-archive": {
      const files = await openArchive(reference.path, newFile);
      // docker save of this time writes both, and only a layout has digests of its blobs.
      const isLayout = (await files.region("index.json")) && (await files.region("oci-layout"));
      return isLayout
        ? new LayoutSource(files, reference.tag)
        : new DockerArchiveSource(files, reference.tag);
    }
    case "docker": {
      // What speaks to registries is read where there is one.
      const { openRegistry } = await import("./registry/source.ts");
      return openRegistry(reference, registry);
    }
  }
}
