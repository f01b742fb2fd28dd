/** Folder → bundle. The phases in order. */
import { realpath } from "node:fs/promises";
import path from "node:path";
import { chooseEntry } from "./app/entry.ts";
import { type BuildOptions, resolveBuildOptions } from "./config/build.ts";
import * as errors from "./errors.ts";
import { version } from "./generated/spec.ts";
import { treeFromDirectory } from "./input/directory.ts";
import { resolveOutput } from "./output/atomic.ts";
import { type RunFile, readRuntime, writeRun } from "./output/run.ts";
import { runtimePath } from "./paths.ts";
import { type ImageFacts, type WriteOptions, writeSquashfs } from "./squashfs/index.ts";
import { byteString } from "./tree/path.ts";

export interface BuildResult extends RunFile<ImageFacts> {
  /** Absolute path of the bundle. */
  output: string;
}

/**
 * Packs a folder into one executable file. Nothing is written under the output's name before all
 * has succeeded.
 *
 * @throws BundleError; docs/errors.md lists the codes
 */
export async function build(given: BuildOptions): Promise<BuildResult> {
  const options = resolveBuildOptions(given);
  const output = await resolveOutput(options.output);
  await refuseInside(output, options);
  const runtime = await readRuntime(runtimePath(options.arch));

  const tree = await treeFromDirectory(options.input, {
    exclude: options.exclude ?? [],
    devices: options.devices ?? false,
    ...(options.signal && { signal: options.signal }),
  });
  if (tree.root.entries.size === 0) throw errors.inputEmpty(options.input);
  const entry = chooseEntry(tree, {
    dir: options.input,
    entry: options.entry,
    name: options.name,
  });

  const invocation = {
    name: byteString(options.name),
    entry,
    args: options.args.map(byteString),
    env: options.env.map(byteString),
    noRuntimeOptions: options.runtimeOptions === false,
    version,
    arch: options.arch,
  };
  const file = await writeRun(output, runtime, invocation, (fd, offset) =>
    writeSquashfs(tree, { fd, offset }, imageOptions(options)),
  );
  return { ...file, output };
}

/** The next build would pack the output of this one, and so on. */
async function refuseInside(output: string, options: BuildOptions): Promise<void> {
  const dir = await realpath(options.input).catch(() => undefined);
  if (dir === undefined) return; // Reading the folder says what is wrong with it.
  const [first] = path.relative(dir, output).split(path.sep);
  if (first !== "..") throw errors.outputInsideInput(options.output, options.input);
}

function imageOptions(options: BuildOptions): WriteOptions {
  return {
    ...(options.compression !== undefined && { compression: options.compression }),
    ...(options.level !== undefined && { level: options.level }),
    ...(options.blockSize !== undefined && { blockSize: options.blockSize }),
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.keepMtimes && { mtime: "keep" as const }),
    ...(options.keepOwners && { owners: "keep" as const }),
    ...(options.xattrs !== undefined && { xattrs: options.xattrs }),
    ...(options.onProgress && { onProgress: options.onProgress }),
    ...(options.signal && { signal: options.signal }),
  };
}
