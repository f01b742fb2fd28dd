/** Bundles around images that anyone made, without the builder's own image writer. */
import { copyFileSync, mkdirSync, readFileSync, writeSync } from "node:fs";
import path from "node:path";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { readRuntime, writeRun } from "../../builder/output/write-bundle.ts";
import { fuselage, type Outcome, root, run } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

/** The runtime as it is shipped, for this machine. */
export const runtimeFile = fuselage;

/** An entrypoint that runs its arguments, so that one bundle serves any question. */
export const runArguments = '#!/bin/sh\nexec "$@"\n';

/**
 * Appends an image to a runtime.
 *
 * @returns path of the bundle, in a folder of its own that everyone may read
 */
export async function bundleOf(
  image: string,
  manifest: Partial<Manifest> = {},
  runtime = runtimeFile,
): Promise<string> {
  const output = path.join(temporaryDirectory(), "app.run");
  const bytes = readFileSync(image);
  const invocation = {
    name: "app",
    entry: "run",
    args: [],
    env: [],
    noRuntimeOptions: false,
    version: "0.0.0",
    arch: "x86_64" as const,
    ...manifest,
  };
  await writeRun(output, await readRuntime(runtime), invocation, async (fd, offset) => {
    writeSync(fd, bytes, 0, bytes.length, offset);
    return { paddedBytes: bytes.length };
  });
  return output;
}

/** Packs a folder by mksquashfs. @returns path of the image */
export async function mksquashfs(dir: string, ...options: string[]): Promise<string> {
  const image = path.join(temporaryDirectory(), "image.sfs");
  const args = [dir, image, "-quiet", "-no-progress", "-noappend", ...options];
  const { status, stderr } = await run("mksquashfs", args);
  if (status !== 0) throw new Error(`mksquashfs ${options.join(" ")}: ${stderr}`);
  return image;
}

/** `dump.mjs` where an ordinary user can run it: the checkout may be in a private folder. */
export function publicDumper(): string {
  const dir = temporaryDirectory();
  mkdirSync(dir, { recursive: true });
  copyFileSync(path.join(root, "test/support/dump.mjs"), path.join(dir, "dump.mjs"));
  return path.join(dir, "dump.mjs");
}

/** What a command prints, or an error with everything it said. */
export function printed(outcome: Outcome): string {
  if (outcome.status !== 0) {
    throw new Error(`status ${outcome.status ?? outcome.signal}: ${outcome.stderr}`);
  }
  return outcome.stdout;
}
