/** What an engine is told of a bundle that is not there. */
import type { BundleFacts } from "../../builder/engines/engine.ts";
import { factsOf } from "../../builder/engines/facts.ts";
import type { Manifest } from "../../builder/manifest/manifest.ts";

export const SHA256 = "5ab54dff0b33670407f039835c16d981962074bccea35c74d1b36bc9592a53d5";

/** @param more of the manifest @param size of the file, bytes */
export function engineFacts(more: Partial<Manifest> = {}, size = 1000): BundleFacts {
  const manifest: Manifest = {
    name: "app",
    entry: "run",
    args: [],
    env: [],
    imageSize: 4096,
    noRuntimeOptions: false,
    version: "0.0.0",
    arch: "x86_64",
    ...more,
  };
  return factsOf({ file: "/opt/app.run", size, sha256: SHA256, arch: "x86_64" }, manifest);
}
