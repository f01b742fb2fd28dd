/** A build whose input is a bundle already, as an artifact of a registry or layout. */
import { createWriteStream } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import type { BuildOptions, ResolvedBuildOptions } from "../config/build-options.ts";
import { BundleError } from "../errors.ts";
import { Workspace } from "../host/temporary.ts";
import { bundleOf } from "../oci/artifact.ts";
import { bytesOfRegion } from "../oci/files.ts";
import { openBlobs } from "../oci/open.ts";
import { parseReference } from "../oci/reference.ts";
import { writeAtomically } from "../output/atomic.ts";
import type { BuildResult } from "./build.ts";
import { withImage } from "./inspect.ts";

/** Options that say nothing about the file: where it comes from, where it goes, who is told. */
const neutral = new Set<keyof BuildOptions>([
  "input",
  "output",
  "name",
  "arch",
  "cache",
  "insecure",
  "mirrors",
  "offline",
  "onFetch",
  "onProgress",
  "onReport",
  "onStep",
  "signal",
  "strict",
]);

/**
 * The bundle as it was exported, byte for byte. Where an option asks for another one it is built again, from that file.
 *
 * @param thrown why the input is no container image; it is thrown again where that is no bundle either
 * @param again builds of a file
 */
export async function takeArtifact(
  thrown: unknown,
  {
    resolved,
    given,
    output,
  }: { resolved: ResolvedBuildOptions; given: BuildOptions; output: string },
  again: (file: string) => Promise<BuildResult>,
): Promise<BuildResult> {
  if (!(thrown instanceof BundleError) || thrown.code !== "E_OCI_ARTIFACT") throw thrown;
  const reference = parseReference(resolved.input);
  if (reference.transport === "tar") throw thrown;
  const { mirrors, insecure, offline, cache, signal } = resolved;
  const workspace = new Workspace();
  let count = 0;
  const newFile = () => path.join(workspace.path, `blob-${count++}`);
  try {
    const source = await openBlobs(reference, newFile, {
      mirrors,
      insecure,
      offline,
      cache,
      signal,
    });
    const file = path.join(workspace.path, "bundle.run");
    try {
      const bytes = await bundleOf(source, resolved.arch);
      if (bytes === undefined) throw thrown;
      await pipeline(bytes, createWriteStream(file, { mode: 0o700 }));
    } finally {
      await source.close();
    }
    const keys = Object.keys(given) as (keyof BuildOptions)[];
    const asks = keys.some((key) => given[key] !== undefined && !neutral.has(key));
    return asks ? await again(file) : ((await copied(file, output)) ?? (await again(file)));
  } finally {
    workspace.remove();
  }
}

/** Undefined for what has no manifest: a build gives it one. */
function copied(file: string, output: string): Promise<BuildResult | undefined> {
  return withImage(file, async ({ manifest, imageOffset, size }, image) => {
    if (manifest === undefined) return undefined;
    const files = new Map(
      (await image.list())
        .filter(({ kind }) => kind === "file")
        .map(({ inode, size: bytes }) => [inode, bytes]),
    );
    await writeAtomically(output, 0o777, async (to) => {
      const whole = { path: file, offset: 0, size };
      for await (const piece of bytesOfRegion(whole)) await to.writeFile(piece);
    });
    return {
      output,
      kind: "image",
      summary: "a bundle, as it was exported",
      warnings: [],
      size,
      imageOffset,
      manifest,
      image: {
        ...image.facts,
        paddedBytes: size - imageOffset,
        files: files.size,
        contentBytes: [...files.values()].reduce((sum, bytes) => sum + bytes, 0),
      },
    };
  });
}
