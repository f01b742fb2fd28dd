/** The folder or file that the user hands in, read as little as needed. */
import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import path from "node:path";
import type { Gathered } from "../config/build-options.ts";
import type { KindChoice } from "../config/kind-names.ts";
import * as errors from "../errors.ts";
import { isLink } from "../host/paths.ts";
import { treeFromDirectory } from "../input/add-directory.ts";
import { addFile } from "../input/add-input.ts";
import { leaveOut } from "../input/ignore-file.ts";
import { type FolderMap, parsedMaps } from "../manifest/folder-map.ts";
import { type ImageReference, namesImage, parseReference } from "../oci/reference.ts";
import { kindOf } from "../output/atomic.ts";
import { editTree, type TreeEdits } from "../tree/edits.ts";
import { byteString, displayPath } from "../tree/path.ts";
import { Tree } from "../tree/tree.ts";
import type { DetectInput } from "./kind.ts";
import { meantImage } from "./meant-image.ts";

/** Bytes that say what a file is. */
const HEAD_BYTES = 4096;

/** What of the options decides how an input is read. */
export interface SourceOptions extends TreeEdits {
  input: string;
  kind?: KindChoice | undefined;
  name: string;
  entry?: string | undefined;
  /** Checked. */
  maps?: readonly string[] | undefined;
  exclude?: readonly string[] | undefined;
  devices?: boolean | undefined;
  /** There where the input is a folder of the builder's own. */
  gathered?: Gathered | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Looks at the input.
 *
 * @throws E_OCI_REFERENCE, E_INPUT_MISSING, E_INPUT_NOT_DIRECTORY (neither folder nor file), E_FILE_UNREADABLE,
 *   E_OPTION_CONFLICT (an entry of a file)
 */
export async function openSource(options: SourceOptions): Promise<DetectInput> {
  if (namesImage(options.input)) return imageSource(options, parseReference(options.input));
  const stats = await stat(options.input).catch((cause: unknown) => {
    const code = errors.errnoCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") {
      const dangles = code === "ENOENT" && isLink(options.input);
      throw errors.inputMissing(options.input, cause, dangles, meantImage(options.input));
    }
    throw errors.fileUnreadable(options.input, cause);
  });
  if (!stats.isDirectory() && !stats.isFile()) {
    throw errors.inputNotDirectory(options.input, `a ${kindOf(stats)}`);
  }
  if (stats.isFile() && options.entry !== undefined && options.kind !== "image") {
    throw errors.optionConflict(
      (name) => `${name("entry")} is for folders, and a file is its own entry`,
    );
  }
  return new Source(options, stats.isDirectory());
}

/** An image is opened by its own kind, which alone knows what it is made of. */
function imageSource(options: SourceOptions, image: ImageReference): DetectInput {
  return {
    path: image.transport === "docker" ? "" : path.resolve(image.path),
    shown: options.input,
    isDirectory: false,
    image,
    entry: options.entry,
    name: options.name,
    maps: [],
    head: async () => undefined,
    tree: () => Promise.reject(errors.internal(new Error("an image is not scanned"))),
  };
}

class Source implements DetectInput {
  readonly path: string;
  readonly shown: string;
  readonly isDirectory: boolean;
  readonly entry: string | undefined;
  readonly name: string;
  readonly maps: readonly FolderMap[];
  readonly #options: SourceOptions;
  readonly #heads = new Map<string, Promise<Buffer | undefined>>();
  #tree: Promise<Tree> | undefined;

  constructor(options: SourceOptions, isDirectory: boolean) {
    this.path = path.resolve(options.input);
    this.shown = options.input;
    this.isDirectory = isDirectory;
    this.entry = options.entry;
    this.name = options.name;
    this.maps = parsedMaps((options.maps ?? []).map(byteString));
    this.#options = options;
  }

  head(relative = ""): Promise<Buffer | undefined> {
    let head = this.#heads.get(relative);
    if (head === undefined) {
      head = readHead(path.join(this.path, relative));
      this.#heads.set(relative, head);
    }
    return head;
  }

  tree(): Promise<Tree> {
    this.#tree ??= this.#edited();
    return this.#tree;
  }

  async #edited(): Promise<Tree> {
    const tree = await (this.isDirectory ? this.#folder() : this.#file());
    editTree(tree, this.#options);
    return tree;
  }

  async #folder(): Promise<Tree> {
    const { input, exclude = [], devices, signal, gathered } = this.#options;
    if (gathered !== undefined) {
      await leaveOut(gathered.tree, { exclude });
      if (gathered.tree.root.entries.size === 0) throw errors.inputEmpty(input);
      return gathered.tree;
    }
    const tree = await treeFromDirectory(input, {
      exclude,
      devices: devices ?? false,
      ...(signal && { signal }),
    });
    if (tree.root.entries.size === 0) throw errors.inputEmpty(input);
    return tree;
  }

  async #file(): Promise<Tree> {
    const tree = new Tree();
    await addFile(tree, `bin/${byteString(path.basename(this.path))}`, this.path, 0o755);
    return tree;
  }
}

/** First bytes of a regular file; undefined where there is none that can be read. */
async function readHead(file: string): Promise<Buffer | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    if (!(await handle.stat()).isFile()) return undefined;
    const { buffer, bytesRead } = await handle
      .read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
      .catch(errors.readingFailed(displayPath(byteString(file))));
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
