/**
 * Entries of a tar file → a tree, as extraction by root would leave them: a later entry replaces an
 * earlier one, and a path leads through the symbolic links of the tree, never out of it.
 *
 * Small contents stay in memory up to a bound; others become files of the workspace, holes included.
 */
import { open } from "node:fs/promises";
import path from "node:path";
import * as errors from "../../errors.ts";
import {
  type Contents,
  type DirectoryNode,
  directoryNode,
  fileNode,
  type Node,
  symlinkNode,
} from "../../tree/node.ts";
import { byteString, displayPath } from "../../tree/path.ts";
import { addEntry, type Tree } from "../../tree/tree.ts";
import { isPackedXattr } from "../add-directory.ts";
import { ByteStream } from "./byte-stream.ts";
import { decompressed } from "./decompress.ts";
import { TarProblem } from "./tar-header.ts";
import { type TarEntry, tarEntries } from "./tar-reader.ts";

/** Contents up to this stay in memory, bytes. */
const SMALL = 64 << 10;
/** All of them together, bytes. */
const IN_MEMORY = 64 << 20;

/** As many symbolic links as the kernel follows in one path. */
const MAX_LINKS = 40;

export interface TarOptions {
  /** Folder for contents that stay until the tree is written. */
  workspace: string;
  /** Take devices and fifos instead of refusing them. */
  devices: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Adds the entries of a tar file, compressed by gzip, zstd or xz, or not.
 *
 * @param source its bytes
 * @param shown how messages call it
 * @throws E_ARCHIVE_CORRUPT, E_ARCHIVE_FORMAT, E_ARCHIVE_UNSAFE, E_FILE_KIND, E_PATH_INVALID, E_OUTPUT_* for the workspace
 */
export async function addTar(
  tree: Tree,
  source: AsyncIterable<Uint8Array>,
  shown: string,
  options: TarOptions,
): Promise<void> {
  const raw = new ByteStream(source);
  const adding = new TarAdding(tree, shown, options);
  try {
    const head = await raw.read(6);
    const bytes = new ByteStream(decompressed(head, restOf(raw), shown));
    for await (const entry of tarEntries(bytes)) {
      options.signal?.throwIfAborted();
      await adding.add(entry);
    }
  } catch (thrown) {
    if (thrown instanceof TarProblem) throw errors.archiveCorrupt(shown, thrown.message, thrown);
    throw thrown;
  } finally {
    await raw.close();
  }
}

async function* restOf(stream: ByteStream): AsyncGenerator<Uint8Array> {
  for (;;) {
    const part = await stream.some(1 << 20);
    if (part === undefined) return;
    yield part;
  }
}

class TarAdding {
  readonly #tree: Tree;
  readonly #shown: string;
  readonly #options: TarOptions;
  #inMemory = 0;
  #files = 0;

  constructor(tree: Tree, shown: string, options: TarOptions) {
    this.#tree = tree;
    this.#shown = shown;
    this.#options = options;
  }

  async add(entry: TarEntry): Promise<void> {
    const names = this.#names(entry.name);
    const last = names.pop();
    if (last === undefined) {
      // "./" is the root itself; nothing else can stand there.
      if (entry.kind === "directory") Object.assign(this.#tree.root, attributesOf(entry));
      return;
    }
    const parent = this.#folder(names, entry.name);
    const found = parent.entries.get(last);
    if (entry.kind === "directory" && found?.kind === "directory") {
      Object.assign(found, attributesOf(entry));
      return;
    }
    const node = entry.kind === "hard-link" ? this.#linked(entry) : await this.#node(entry);
    if (node === found) return;
    parent.entries.delete(last);
    addEntry(parent, last, node, names.concat(last).join("/"));
  }

  /** Names from the root. @throws E_ARCHIVE_UNSAFE for a way up */
  #names(name: string): string[] {
    const names = name.split("/").filter((part) => part !== "" && part !== ".");
    if (names.includes("..")) {
      throw errors.archiveUnsafe(this.#shown, `${displayPath(name)} leads out of the archive`);
    }
    return names;
  }

  /** The folder that names lead to; what is missing is made. */
  #folder(names: readonly string[], entry: string): DirectoryNode {
    const parents: DirectoryNode[] = [];
    let current = this.#tree.root;
    let pending = [...names].reverse();
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        // The root is above itself, as for whoever has it as his root.
        current = parents.pop() ?? this.#tree.root;
        continue;
      }
      let next = current.entries.get(name);
      if (next === undefined) {
        next = directoryNode();
        addEntry(current, name, next, entry);
      }
      if (next.kind === "symlink") {
        if (++links > MAX_LINKS) throw this.#unsafe(entry, "leads through too many links");
        if (next.target.startsWith("/")) [parents.length, current] = [0, this.#tree.root];
        pending = [...pending, ...next.target.split("/").reverse()];
      } else if (next.kind === "directory") {
        parents.push(current);
        current = next;
      } else {
        throw this.#unsafe(entry, `is below ${displayPath(name)}, which is no folder`);
      }
    }
    return current;
  }

  #unsafe(entry: string, what: string) {
    return errors.archiveUnsafe(this.#shown, `${displayPath(entry)} ${what}`);
  }

  #linked({ name, linkName }: TarEntry): Node {
    const names = this.#names(linkName);
    const last = names.pop() ?? "";
    const node = this.#folder(names, name).entries.get(last);
    if (node === undefined || node.kind === "directory") {
      const what = node === undefined ? "not there" : "a folder";
      const link = `${displayPath(name)} is a hard link to ${displayPath(linkName)}`;
      throw new TarProblem(`${link}, which is ${what}`);
    }
    return node;
  }

  async #node(entry: TarEntry): Promise<Node> {
    const attributes = attributesOf(entry);
    const { kind, major, minor } = entry;
    switch (kind) {
      case "directory":
        return directoryNode(attributes);
      case "symlink":
        return symlinkNode(entry.linkName, attributes);
      case "file":
        return fileNode(await this.#contents(entry), attributes);
      case "fifo":
        this.#requireDevices(entry);
        return { kind, ...attributes };
      case "character-device":
      case "block-device":
        this.#requireDevices(entry);
        return { kind, ...attributes, major, minor };
      case "hard-link":
        return this.#linked(entry);
    }
  }

  #requireDevices({ name, kind }: TarEntry): void {
    if (this.#options.devices) return;
    throw errors.fileKind(`${this.#shown}: ${displayPath(name)}`, kind.replace("-", " "));
  }

  async #contents(entry: TarEntry): Promise<Contents> {
    const { size, ranges } = entry;
    if (ranges === undefined && size <= SMALL && this.#inMemory + size <= IN_MEMORY) {
      const parts: Uint8Array[] = [];
      for await (const part of entry.contents()) parts.push(part);
      this.#inMemory += size;
      return { from: "memory", bytes: Buffer.concat(parts) };
    }
    return this.#spooled(entry);
  }

  async #spooled({ size, ranges, contents }: TarEntry): Promise<Contents> {
    const file = path.join(this.#options.workspace, `${this.#files++}`);
    const failed = (cause: unknown) => errors.outputFailed(file, "writing", cause);
    const handle = await open(file, "wx", 0o600).catch((cause: unknown) => {
      throw failed(cause);
    });
    try {
      await handle.truncate(size).catch((cause: unknown) => {
        throw failed(cause);
      });
      const places = [...(ranges ?? [{ offset: 0, length: size }])].reverse();
      let place = { offset: 0, length: 0 };
      for await (const part of contents()) {
        for (let rest = part; rest.length > 0; ) {
          while (place.length === 0)
            place = { ...(places.pop() ?? { offset: size, length: rest.length }) };
          const now = rest.subarray(0, place.length);
          await writeAll(handle, now, place.offset).catch((cause: unknown) => {
            throw failed(cause);
          });
          place = { offset: place.offset + now.length, length: place.length - now.length };
          rest = rest.subarray(now.length);
        }
      }
      const { dev, ino, mtimeNs, ctimeNs } = await handle.stat({ bigint: true });
      const identity = { dev, ino, mtimeNs, ctimeNs };
      return { from: "disk", path: byteString(file), size, identity };
    } finally {
      await handle.close();
    }
  }
}

async function writeAll(
  handle: Awaited<ReturnType<typeof open>>,
  bytes: Uint8Array,
  offset: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

function attributesOf({ mode, uid, gid, mtime, xattrs }: TarEntry) {
  return { mode, uid, gid, mtime, xattrs: xattrs.filter(isPackedXattr) };
}
