/** The parts of the user's cache. */
import path from "node:path";
import { cacheDirectory } from "./paths.ts";

/** Folders in it, with what they hold. */
export const cacheParts = {
  blocks: "compressed blocks of earlier images",
  files: "which files these blocks are of",
  images: "layers and manifests of container images",
  kernels: "unpacked kernels of virtual machines",
  learned: "what was learned of interpreters",
  node: "interpreters that were downloaded",
} as const;

/** Need not exist. */
export function cacheFolder(part: keyof typeof cacheParts): string {
  return path.join(cacheDirectory(), part);
}
