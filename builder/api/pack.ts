/** Folder → archive for the runner. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { writeBase64 } from "../archive/base64.ts";
import { writeZip } from "../archive/zip.ts";
import { imageOptions } from "../config/image-options.ts";
import {
  type ArchiveFormat,
  type PackOptions,
  type ResolvedPackOptions,
  resolvePackOptions,
} from "../config/pack-options.ts";
import * as errors from "../errors.ts";
import { removeTemporary, temporaryFile, Workspace } from "../host/temporary.ts";
import { unmatchedGlobs } from "../input/unmatched-globs.ts";
import { refuseInside, resolveOutput, writeAtomically } from "../output/atomic.ts";
import { defaultMtime, type ImageFacts } from "../squashfs/squashfs-options.ts";
import { writeSquashfs } from "../squashfs/writer.ts";
import { editTree } from "../tree/edits.ts";
import { GlobWatch } from "../tree/exclusion.ts";
import type { Tree } from "../tree/tree.ts";
import type { Warning } from "../warnings.ts";
import { packedFiles, packTree } from "./pack-input.ts";

export type { PackOptions } from "../config/pack-options.ts";

/** The archive that was made. */
export interface PackResult {
  /** Absolute path of the archive. */
  output: string;
  /** What the archive is. */
  format: ArchiveFormat;
  /** Bytes of the archive. */
  size: number;
  /** Regular files; in a zip file each name of a hard-linked one counts. */
  files: number;
  /** Bytes of them. */
  contentBytes: number;
  /** What is not as it was asked for. */
  warnings: readonly Warning[];
  /** Of the squashfs image; a zip file has none. */
  image?: ImageFacts;
}

type Written = Omit<PackResult, "output" | "format" | "size" | "warnings">;

/** Level of deflate when none is asked for: zlib's own default. */
const DEFLATE_LEVEL = 6;

/**
 * Packs a folder into an archive. Nothing is written under the output's name before all has
 * succeeded.
 *
 * @throws BundleError; docs/errors.md lists the codes
 *
 * @example
 * ```js
 * import { pack } from "fuselage-bundle";
 *
 * const { format, files, contentBytes } = await pack({ input: "hello", output: "hello.zip" });
 * console.log(format, files, contentBytes > 0); // zip 2 true
 * ```
 */
export async function pack(given: PackOptions): Promise<PackResult> {
  const options = resolvePackOptions(given);
  const output = await resolveOutput(options.output);
  for (const file of packedFiles(options)) await refuseInside(output, options.output, file);
  // The zip writer refuses devices itself, because --devices would not help there.
  const devices = options.devices === true || options.format === "zip";
  const workspace = new Workspace();
  try {
    const watch = new GlobWatch(options.exclude ?? []);
    const tree = await watch.run(() => packTree(options, devices, workspace));
    const warnings = await unmatchedGlobs(watch);
    editTree(tree, options);
    const mode = options.shebang === undefined ? 0o666 : 0o777;
    return await writeAtomically(
      output,
      mode,
      async (handle) => {
        const written = await write[options.format](tree, handle, options, output);
        const { size } = await handle.stat();
        return { output, format: options.format, size, ...written, warnings };
      },
      options.output,
    );
  } finally {
    workspace.remove();
  }
}

const write: Record<
  ArchiveFormat,
  (tree: Tree, to: FileHandle, options: ResolvedPackOptions, output: string) => Promise<Written>
> = {
  async sfs(tree, { fd }, options) {
    return ofImage(await writeSquashfs(tree, { fd }, imageOptions(options)));
  },

  async zip(tree, { fd }, { compression, level, keepMtimes, onProgress, signal }) {
    return writeZip(tree, fd, {
      level: compression === "none" ? 0 : (level ?? DEFLATE_LEVEL),
      mtime: keepMtimes ? "keep" : defaultMtime(),
      onProgress,
      signal,
    });
  },

  async b64(tree, { fd }, options, output) {
    return withScratch(path.dirname(output), async (scratch) => {
      const image = await writeSquashfs(tree, { fd: scratch.fd }, imageOptions(options));
      await writeBase64(scratch, image.paddedBytes, fd, options.shebang);
      return ofImage(image);
    });
  },
};

function ofImage(image: ImageFacts): Written {
  return { files: image.files, contentBytes: image.contentBytes, image };
}

/** Lends a file that has gone afterwards, on the output's file system: there is space for it. */
async function withScratch<T>(dir: string, use: (scratch: FileHandle) => Promise<T>): Promise<T> {
  const name = temporaryFile(dir);
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    const scratch = await open(name, flags, 0o600).catch((cause: unknown) => {
      throw errors.outputFailed(name, "creating a temporary file", cause);
    });
    try {
      return await use(scratch);
    } finally {
      await scratch.close();
    }
  } finally {
    removeTemporary(name);
  }
}
