/** Folder → bundle. The phases in order. */
import { chooseEntry } from "./app/entry.ts";
import { type BuildOptions, resolveBuildOptions } from "./config/build.ts";
import { imageOptions } from "./config/image.ts";
import * as errors from "./errors.ts";
import { version } from "./generated/spec.ts";
import { treeFromDirectory } from "./input/directory.ts";
import { refuseInside, resolveOutput } from "./output/atomic.ts";
import { type RunFile, readRuntime, writeRun } from "./output/run.ts";
import { runtimePath } from "./paths.ts";
import { type ImageFacts, writeSquashfs } from "./squashfs/index.ts";
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
  await refuseInside(output, options.output, options.input);
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
    ...(options.mountAt !== undefined && { mountAt: byteString(options.mountAt) }),
    ...(options.writable && { writable: true }),
    noRuntimeOptions: options.runtimeOptions === false,
    version,
    arch: options.arch,
  };
  const file = await writeRun(output, runtime, invocation, (fd, offset) =>
    writeSquashfs(tree, { fd, offset }, imageOptions(options)),
  );
  return { ...file, output };
}
