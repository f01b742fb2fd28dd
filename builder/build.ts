/** App → bundle. The phases in order. */
import path from "node:path";
import type { App, KindName } from "./app/kind.ts";
import { withApp } from "./app/prepare.ts";
import {
  type BuildOptions,
  type ResolvedBuildOptions,
  resolveBuildOptions,
} from "./config/build.ts";
import { imageOptions } from "./config/image.ts";
import { version } from "./generated/spec.ts";
import type { Manifest } from "./manifest/manifest.ts";
import { refuseInside, resolveOutput } from "./output/atomic.ts";
import { type RunFile, readRuntime, writeRun } from "./output/run.ts";
import { cacheDirectory, runtimePath } from "./paths.ts";
import { type ImageFacts, writeSquashfs } from "./squashfs/index.ts";
import { contentSize } from "./tree/node.ts";
import { byteString, displayPath } from "./tree/path.ts";
import type { Tree } from "./tree/tree.ts";

export interface BuildResult extends RunFile<ImageFacts> {
  /** Absolute path of the bundle. */
  output: string;
  kind: KindName;
  /** One line: what the app is and why. */
  summary: string;
  /** What may go wrong on other machines, one line each. */
  warnings: readonly string[];
}

/** What a build would pack. */
export interface Explanation {
  kind: KindName;
  /** One line: what the app is and why. */
  summary: string;
  /** What goes into the file and why, one line each. */
  lines: readonly string[];
  warnings: readonly string[];
  /** Program that is started: path below the root of the image. */
  entry: string;
  /** Regular files, and the bytes of their contents before compression. */
  files: number;
  contentBytes: number;
}

/**
 * Packs an app into one executable file. Nothing is written under the output's name before all has
 * succeeded.
 *
 * @throws BundleError; docs/errors.md lists the codes
 */
export async function build(given: BuildOptions): Promise<BuildResult> {
  const options = resolveBuildOptions(given);
  const output = await resolveOutput(options.output);
  await refuseInside(output, options.output, options.input);
  const runtime = await readRuntime(runtimePath(options.arch));
  return withApp(options, async (app) => {
    const file = await writeRun(output, runtime, invocationOf(app, options), (fd, offset) =>
      writeSquashfs(
        app.tree,
        { fd, offset },
        { ...imageOptions(options), blockCache: path.join(cacheDirectory(), "blocks") },
      ),
    );
    const { kind, summary, warnings } = app;
    return { ...file, output, kind, summary, warnings };
  });
}

/**
 * Prepares an app as `build` does and says what would go into the file; nothing is written.
 *
 * @throws as `build`
 */
export async function explain(
  given: Omit<BuildOptions, "output"> & { output?: string },
): Promise<Explanation> {
  // No file is written, so any name will do for the check of the other options.
  const options = resolveBuildOptions({ ...given, output: given.output || "unwritten" });
  return withApp(options, async (app) => ({
    kind: app.kind,
    summary: app.summary,
    lines: app.explain,
    warnings: app.warnings,
    entry: displayPath(app.entry),
    ...sizes(app.tree),
  }));
}

/** What the bundle records. */
function invocationOf(app: App, options: ResolvedBuildOptions): Omit<Manifest, "imageSize"> {
  const args = [...app.args, ...options.args];
  const unset = [...new Set([...app.unsetEnv, ...options.unsetEnv])];
  return {
    name: byteString(options.name),
    entry: app.entry,
    args: args.map(byteString),
    ...(args.some((arg) => arg.includes("${FUSELAGE_BUNDLE_DIR}")) && { expandArgs: true }),
    ...(unset.length > 0 && { unset: unset.map(byteString) }),
    env: [...app.env, ...options.env].map(byteString),
    ...(options.mountAt !== undefined && { mountAt: byteString(options.mountAt) }),
    ...(options.writable && { writable: true }),
    noRuntimeOptions: options.runtimeOptions === false,
    version,
    arch: options.arch,
  };
}

function sizes(tree: Tree): { files: number; contentBytes: number } {
  const seen = new Set<unknown>();
  let contentBytes = 0;
  for (const { node } of tree.walk()) {
    if (node.kind !== "file" || seen.has(node)) continue;
    seen.add(node);
    contentBytes += contentSize(node.contents);
  }
  return { files: seen.size, contentBytes };
}
