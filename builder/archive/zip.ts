/**
 * Tree → zip, by yazl. The same tree gives the same bytes: names in byte order, times that do not
 * depend on the time zone, nothing of the machine.
 */
import { Readable } from "node:stream";
import type { ZipFile } from "yazl";
import * as errors from "../errors.ts";
import { writeAt } from "../output/write-at.ts";
import type { Progress } from "../squashfs/squashfs-options.ts";
import { contentSize, type FileNode, type Node } from "../tree/node.ts";
import { bytesOf, displayPath } from "../tree/path.ts";
import { readContents } from "../tree/read-contents.ts";
import type { Tree } from "../tree/tree.ts";

export interface ZipOptions {
  /** Of deflate, 1..9; 0 stores. */
  level: number;
  /** Seconds since 1970 for all entries, or "keep". */
  mtime: number | "keep";
  onProgress?: ((progress: Progress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Bits of st_mode, which the upper half of the external attributes holds. */
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;

const DEVICE_HINT: errors.FailureText = (name) =>
  `A zip file has no place for it: pack it as .sfs with ${name("devices", true)}, or leave it out with ${name("exclude")}.`;

/** Written at once, bytes. */
const BATCH = 1 << 20;

const PROGRESS_MS = 100;

/**
 * Writes the archive to the descriptor, from its start.
 *
 * @throws E_PATH_INVALID for a name that zip cannot hold, E_FILE_KIND for a device,
 *   E_FILE_UNREADABLE, E_FILE_CHANGED, or the reason of an aborted signal
 */
export async function writeZip(
  tree: Tree,
  fd: number,
  options: ZipOptions,
): Promise<{ files: number; contentBytes: number }> {
  const yazl = await import("yazl");
  const zip = new yazl.ZipFile();
  const output = zip.outputStream as Readable;
  // Whoever reads it gets the failure; before somebody does, it is not unhandled.
  output.on("error", () => {});
  zip.on("error", (cause: Error) => output.destroy(cause));
  const writer = new ZipWriter(zip, options);
  try {
    for (const { path, node } of tree.walk()) if (path !== "") writer.add(path, node);
    zip.end();
    await copy(output, fd);
  } finally {
    writer.close();
  }
  writer.report(true);
  return { files: writer.total.totalFiles, contentBytes: writer.total.totalBytes };
}

class ZipWriter {
  readonly total = { totalBytes: 0, totalFiles: 0 };
  readonly #zip: ZipFile;
  readonly #options: ZipOptions;
  readonly #done = { bytes: 0, files: 0 };
  #reported = 0;
  #current: Readable | undefined;

  constructor(zip: ZipFile, options: ZipOptions) {
    this.#zip = zip;
    this.#options = options;
  }

  /** Queues one entry; contents are read when its turn comes. */
  add(path: string, node: Node): void {
    const name = zipName(path);
    const mtime = new ZipTime(this.#options.mtime === "keep" ? node.mtime : this.#options.mtime);
    switch (node.kind) {
      case "directory":
        this.#zip.addEmptyDirectory(name, { mtime, mode: S_IFDIR | node.mode });
        return;
      case "symlink": {
        const attributes = { mtime, mode: S_IFLNK | 0o777, compressionLevel: 0 };
        this.#zip.addBuffer(bytesOf(node.target), name, attributes);
        return;
      }
      case "file":
        this.#addFile(name, node, mtime);
        return;
      default:
        throw errors.fileKind(displayPath(path), node.kind.replace("-", " "), DEVICE_HINT);
    }
  }

  #addFile(name: string, node: FileNode, mtime: Date): void {
    const size = contentSize(node.contents);
    const compressionLevel = size === 0 ? 0 : this.#options.level;
    const attributes = { mtime, mode: S_IFREG | node.mode, size, compressionLevel };
    this.total.totalFiles++;
    this.total.totalBytes += size;
    this.#zip.addReadStreamLazy(name, attributes, (deliver) => {
      const stream = Readable.from(this.#read(node), { objectMode: false });
      // yazl listens to none of the streams that it asked for.
      stream.on("error", (cause) => this.#zip.emit("error", cause));
      this.#current = stream;
      deliver(null, stream);
    });
  }

  /** Closes the file that is being read, when the archive is given up. */
  close(): void {
    this.#current?.destroy();
  }

  async *#read(node: FileNode): AsyncGenerator<Uint8Array> {
    this.#options.signal?.throwIfAborted();
    for await (const chunk of readContents(node.contents)) {
      yield chunk;
      this.#options.signal?.throwIfAborted();
      this.#done.bytes += chunk.length;
      this.report();
    }
    this.#done.files++;
  }

  /** Tells how far it is, a few times a second or `now`. */
  report(now = false): void {
    const { onProgress } = this.#options;
    if (onProgress === undefined || (!now && performance.now() - this.#reported < PROGRESS_MS))
      return;
    this.#reported = performance.now();
    onProgress({ ...this.#done, ...this.total });
  }
}

/**
 * A name as zip holds it: UTF-8, with nothing in it that other systems take for a separator.
 *
 * @throws E_PATH_INVALID
 */
function zipName(path: string): string {
  const invalid = (what: string) => errors.pathInvalid(displayPath(path), what);
  const name = bytesOf(path).toString("utf8");
  if (!Buffer.from(name, "utf8").equals(bytesOf(path))) {
    throw invalid("the name is not UTF-8, which names in a zip file are; pack it as .sfs");
  }
  if (name.includes("\\")) {
    throw invalid('the name holds "\\", which unzip takes for "/"; pack it as .sfs');
  }
  if (/^[A-Za-z]:/.test(name)) {
    throw invalid("the name looks like one with a drive letter; pack it as .sfs");
  }
  return name;
}

/** 1980-01-01 and 2107-12-31, between which DOS times lie. Seconds since 1970. */
const FIRST_TIME = 315532800;
const LAST_TIME = 4354819198;

/**
 * A time that reads the same in every time zone: yazl takes the fields of DOS times from the local
 * getters, and compares with bounds that it made from local time.
 */
class ZipTime extends Date {
  /** @param seconds since 1970; times that zip cannot hold become the nearest that it can */
  constructor(seconds: number) {
    super(Math.min(Math.max(seconds, FIRST_TIME), LAST_TIME) * 1000);
  }
  override getFullYear(): number {
    return this.getUTCFullYear();
  }
  override getMonth(): number {
    return this.getUTCMonth();
  }
  override getDate(): number {
    return this.getUTCDate();
  }
  override getHours(): number {
    return this.getUTCHours();
  }
  override getMinutes(): number {
    return this.getUTCMinutes();
  }
  override getSeconds(): number {
    return this.getUTCSeconds();
  }
  /** For comparisons alone: inside the bounds, which the constructor has seen to. */
  override valueOf(): number {
    return 1e12;
  }
}

/** Copies a stream into the descriptor, small pieces joined. */
async function copy(from: Readable, fd: number): Promise<void> {
  let batch: Buffer[] = [];
  let batched = 0;
  let position = 0;
  const flush = async () => {
    await writeAt(fd, Buffer.concat(batch), position);
    position += batched;
    batch = [];
    batched = 0;
  };
  for await (const chunk of from) {
    batch.push(chunk as Buffer);
    batched += (chunk as Buffer).length;
    if (batched >= BATCH) await flush();
  }
  await flush();
}
