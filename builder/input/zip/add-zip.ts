/**
 * Entries of a zip file → a tree, as unzip would leave them. The central directory says what there is
 * (APPNOTE.TXT 6.3.10, 4.3.12); names are checked as those of a tar file are.
 */
import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import type { Entry, ZipFile } from "yauzl";
import * as errors from "../../errors.ts";
import { byteString, displayPath } from "../../tree/path.ts";
import type { Tree } from "../../tree/tree.ts";
import { withFile } from "../add-file.ts";
import { type EntryFacts, placeEntry } from "../tar/place-entry.ts";
import { spooled } from "../tar/spool.ts";

/** What is wrong with a zip file. */
class ZipProblem extends Error {}

export interface ZipOptions {
  /** Folder for contents that stay until the tree is written. */
  workspace: string;
  signal?: AbortSignal | undefined;
}

/** Whether a file begins as a zip file does: with an entry, or with the end of an empty one. */
export const isZip = (head: Uint8Array): boolean =>
  ["PK\x03\x04", "PK\x05\x06"].includes(Buffer.from(head.subarray(0, 4)).toString("latin1"));

/**
 * Adds the entries of a zip file. Permissions and symbolic links are kept where Unix made it, set-id and
 * sticky bits are not; owners are nobody's, and times are taken for UTC where an entry has only those of MS-DOS.
 *
 * @throws E_INPUT_MISSING, E_FILE_*, E_ARCHIVE_CORRUPT, E_ARCHIVE_FORMAT, E_ARCHIVE_UNSAFE, E_PATH_INVALID,
 *   E_OUTPUT_* for the workspace
 */
export async function addZip(tree: Tree, file: string, options: ZipOptions): Promise<void> {
  await withFile(file, (handle, size) => addAll(tree, { handle, size }, file, options));
}

async function addAll(
  tree: Tree,
  { handle, size }: { handle: FileHandle; size: number },
  file: string,
  { workspace, signal }: ZipOptions,
): Promise<void> {
  const yauzl = await import("yauzl");
  const problem = (cause: unknown): never => {
    if (!isProblem(cause)) return errors.readingFailed(file)(cause);
    throw errors.archiveCorrupt(file, "zip file", cause.message, cause);
  };
  const options = { autoClose: false, decodeStrings: false, lazyEntries: true } as const;
  const zip = await yauzl.fromFdPromise(handle.fd, options).catch(problem);
  let files = 0;
  let stored = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      signal?.throwIfAborted();
      const { generalPurposeBitFlag: flags, extraFields, fileNameRaw } = entry;
      const name = byteString(yauzl.getFileNameLowLevel(flags, fileNameRaw, extraFields, false));
      const shown = displayPath(name);
      const { kind, mode } = typeOf(entry, name, `${file}: ${shown}`);
      requireReadable(entry, file, shown);
      stored += entry.compressedSize;
      // Each may have its bytes alone: with the same for many a small file could become any size.
      if (stored > size) throw new ZipProblem("its entries lie over each other");
      const read = () => contentsOf(zip, entry, shown);
      const linkName = kind === "symlink" ? await target(read(), shown) : "";
      const contents =
        kind === "file"
          ? await spooled(
              { size: entry.uncompressedSize, ranges: undefined, contents: read },
              path.join(workspace, `${files++}`),
            )
          : undefined;
      const facts: EntryFacts = {
        name,
        kind,
        mode,
        uid: 0,
        gid: 0,
        mtime: Math.floor(entry.getLastModDate({ timezone: "UTC" }).getTime() / 1000),
        size: entry.uncompressedSize,
        linkName,
        major: 0,
        minor: 0,
        xattrs: [],
      };
      placeEntry(tree.root, facts, contents, (what) =>
        errors.archiveUnsafe(file, `${shown} ${what}`),
      );
    }
  } catch (thrown) {
    problem(thrown);
  }
}

/** Failures of yauzl's are plain errors; those of the system have a code. */
const isProblem = (thrown: unknown): thrown is Error =>
  thrown instanceof Error &&
  !(thrown instanceof errors.BundleError) &&
  thrown.name !== "AbortError" &&
  (errors.errnoCode(thrown) === undefined || /^Z_/.test(errors.errnoCode(thrown) ?? ""));

/** Makers whose external attributes hold a st_mode (4.4.2). */
const UNIX_MAKERS = [3, 19];

const TYPE = 0o170000;
const TYPES: Readonly<Record<number, EntryFacts["kind"]>> = {
  0: "file",
  [0o100000]: "file",
  [0o040000]: "directory",
  [0o120000]: "symlink",
};

/** @throws E_FILE_KIND for a device, a fifo or a socket, which zip has no room for */
function typeOf(
  { versionMadeBy, externalFileAttributes }: Entry,
  name: string,
  shown: string,
): Pick<EntryFacts, "kind" | "mode"> {
  const isUnix = UNIX_MAKERS.includes(versionMadeBy >>> 8);
  const said = isUnix ? externalFileAttributes >>> 16 : 0;
  const kind = name.endsWith("/") ? "directory" : TYPES[said & TYPE];
  if (kind === undefined) throw errors.fileKind(shown, "special file in a zip file");
  // An entry has no owner, so a set-id bit would be that of whoever is taken for one: unzip and our runner drop it, too.
  return { kind, mode: said & 0o777 || (kind === "directory" ? 0o755 : 0o644) };
}

/** A byte of deflate stands for 1032 of them at most: 258 bytes take two bits. */
const DEFLATE_RATIO = 1032;

/** @throws E_ARCHIVE_FORMAT, ZipProblem for a size that cannot be true */
function requireReadable(entry: Entry, file: string, shown: string): void {
  const { compressionMethod, compressedSize, uncompressedSize } = entry;
  const isKnown = compressionMethod === 0 || compressionMethod === 8;
  if (entry.isEncrypted() || !isKnown) {
    const what = entry.isEncrypted() ? "encrypted" : `method ${compressionMethod}`;
    throw errors.archiveMethod(file, `${shown}, ${what}`);
  }
  if (uncompressedSize > (compressedSize + 1) * DEFLATE_RATIO) {
    const claim = `${shown} claims ${uncompressedSize} bytes in ${compressedSize}`;
    throw new ZipProblem(`${claim}, more than they can hold`);
  }
}

/** The bytes of an entry, which the library compares in number, and we by their checksum. */
async function* contentsOf(zip: ZipFile, entry: Entry, shown: string): AsyncGenerator<Uint8Array> {
  let sum = 0;
  const stream: Readable = await zip.openReadStreamPromise(entry);
  for await (const part of stream) {
    sum = crc32(part, sum);
    yield part;
  }
  if (sum !== entry.crc32) throw new ZipProblem(`${shown} does not have the checksum that it says`);
}

/** Longer than any target that a link can have, bytes. */
const TARGET_MAX = 1 << 16;

async function target(bytes: AsyncIterable<Uint8Array>, shown: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of bytes) {
    size += part.length;
    if (size > TARGET_MAX) throw new ZipProblem(`the link ${shown} is longer than links are`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("latin1");
}
