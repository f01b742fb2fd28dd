/** What is packed → a tree: folders, archives and images, one into another. */
import { constants, mkdtempSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import path from "node:path";
import type { PackOptions } from "../config/pack-options.ts";
import * as errors from "../errors.ts";
import { bytesOfInput, STDIN, shownInput } from "../host/standard-input.ts";
import type { Workspace } from "../host/temporary.ts";
import { treeFromDirectory } from "../input/add-directory.ts";
import { ignoredGlobs, leaveOut } from "../input/ignore-file.ts";
import { imageTree } from "../input/image-tree.ts";
import { addTar } from "../input/tar/add-tar.ts";
import { codecOf } from "../input/tar/decompress.ts";
import { BLOCK, parseHeader, TarProblem } from "../input/tar/tar-header.ts";
import { addZip, isZip } from "../input/zip/add-zip.ts";
import { byteString } from "../tree/path.ts";
import { Tree } from "../tree/tree.ts";
import { merge } from "../tree/whole-trees.ts";
import { holdsImage } from "./convert.ts";
import { withImage } from "./inspect.ts";
import { dumpTree } from "./read-dump.ts";

/** An input, and where it goes. */
interface Part {
  file: string;
  /** In the image, byte string. */
  place: string;
}

/** `PATH` or `PATH:/PLACE`. */
export function partOf(text: string): Part {
  const [, file = text, place = ""] = /^(.+):(\/.*)$/s.exec(text) ?? [];
  return { file, place: byteString(place.replace(/^\/+|\/+$/g, "")) };
}

/** Files and folders that are read: none may be the output. */
export function packedFiles({ input, more = [], fromDump, objects }: PackOptions): string[] {
  return [input, fromDump, objects, ...more.map((text) => partOf(text).file)]
    .filter((file) => file !== undefined)
    .filter((file) => file !== STDIN);
}

/**
 * @param workspace for what is on no disk
 * @throws E_INPUT_*, E_FILE_*, E_ARCHIVE_*, E_IMAGE_*, E_PATH_INVALID
 */
export async function packTree(
  options: PackOptions,
  devices: boolean,
  workspace: Workspace,
): Promise<Tree> {
  if (options.fromDump !== undefined) return dumpTree(options.fromDump, options.objects);
  const first = await treeOf(options.input ?? "", options, devices, workspace);
  for (const { file, place } of (options.more ?? []).map(partOf)) {
    merge(first, place, await treeOf(file, options, devices, workspace));
  }
  return first;
}

/** What of the options says how inputs are read. */
export type InputChoices = Pick<PackOptions, "exclude" | "excludeFrom" | "signal">;

/**
 * The tree of one input: a folder, an archive or a file with an image; "-" is a tar archive.
 *
 * @throws as `packTree`
 */
export async function treeOf(
  file: string,
  options: InputChoices,
  devices: boolean,
  workspace: Workspace,
): Promise<Tree> {
  const { signal } = options;
  if (file === STDIN) return tarTree(file, options, devices, workspace.path);
  const stats = await stat(file).catch(() => undefined); // whoever reads it says why
  if (stats?.isFile()) {
    const folder = mkdtempSync(path.join(workspace.path, "input-"));
    if (await holdsImage(file)) {
      return withImage(file, async (_, image) =>
        imageTree(image, await image.list(signal), folder, options),
      );
    }
    const kind = await archiveKind(file);
    if (kind === "tar") return tarTree(file, options, devices, folder);
    if (kind === "zip") return zipTree(file, options, folder);
    throw errors.inputNotDirectory(
      file,
      "another file",
      "a directory, a tar archive, a zip file or a file that holds an image",
    );
  }
  const exclude = [...(options.exclude ?? []), ...(await ignoredGlobs(file, options))];
  return treeFromDirectory(file, { exclude, devices, ...(signal && { signal }) });
}

async function tarTree(
  file: string,
  options: InputChoices,
  devices: boolean,
  workspace: string,
): Promise<Tree> {
  const tree = new Tree();
  const shown = shownInput(file);
  await addTar(tree, bytesOfInput(file), shown, { workspace, devices, signal: options.signal });
  return withoutLeftOut(tree, shown, options);
}

async function zipTree(file: string, options: InputChoices, workspace: string): Promise<Tree> {
  const tree = new Tree();
  await addZip(tree, file, { workspace, signal: options.signal });
  return withoutLeftOut(tree, file, options);
}

async function withoutLeftOut(tree: Tree, shown: string, options: InputChoices): Promise<Tree> {
  await leaveOut(tree, options);
  if (tree.root.entries.size === 0) throw errors.inputEmpty(shown);
  return tree;
}

/**
 * What archive a file is by how it begins. Anything compressed is taken for a tar archive, whose reader
 * says what is wrong.
 *
 * @throws E_FILE_UNREADABLE
 */
export async function archiveKind(file: string): Promise<"tar" | "zip" | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: unknown) => {
      throw errors.fileUnreadable(file, cause);
    },
  );
  try {
    const read = handle.read(Buffer.alloc(BLOCK), 0, BLOCK, 0);
    const { buffer, bytesRead } = await read.catch(errors.readingFailed(file));
    if (codecOf(buffer.subarray(0, bytesRead)) !== undefined) return "tar";
    if (isZip(buffer)) return "zip";
    if (bytesRead < BLOCK) return undefined;
    parseHeader(buffer);
    return "tar";
  } catch (thrown) {
    if (thrown instanceof TarProblem) return undefined;
    throw thrown;
  } finally {
    await handle.close();
  }
}
