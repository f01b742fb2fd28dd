/** Digests of large files. */
import { createHash } from "node:crypto";
import { type FileHandle, open, stat } from "node:fs/promises";
import { readingFailed } from "../errors.ts";
import type { Learned } from "./learned.ts";

/** Read at once, bytes: a file in one piece costs more for its memory than for its digest. */
const CHUNK = 1 << 20;

export interface DigestRange {
  /** What is hashed in front of the file. */
  before?: string;
  /** Where it ends, bytes; default: the file's end. */
  end?: number;
}

/**
 * sha256 of a file, in steps between which others get on with their work.
 *
 * @throws E_FILE_UNREADABLE
 */
export async function sha256OfFile(file: string, range: DigestRange = {}): Promise<Buffer> {
  const handle = await open(file).catch(readingFailed(file));
  try {
    return await sha256OfHandle(handle, file, range);
  } finally {
    await handle.close();
  }
}

/**
 * The same of a file that is open already: whoever reads more of it has the digest of what he reads, whatever has its
 * name by then. Where the handle stands does not matter, and does not change.
 *
 * @param file its name, for messages
 * @throws E_FILE_UNREADABLE
 */
export async function sha256OfHandle(
  handle: FileHandle,
  file: string,
  { before = "", end = Number.POSITIVE_INFINITY }: DigestRange = {},
): Promise<Buffer> {
  const hash = createHash("sha256").update(before);
  const chunk = Buffer.allocUnsafe(CHUNK);
  for (let at = 0; at < end; ) {
    const read = handle.read(chunk, 0, Math.min(CHUNK, end - at), at);
    const { bytesRead } = await read.catch(readingFailed(file));
    if (bytesRead === 0) break;
    hash.update(chunk.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest();
}

/** Changes that are closer to each other than this may have one time, where a file system keeps coarse ones. ns. */
const COARSE = 2_000_000_000n;

/**
 * The same in hexadecimal, remembered as long as the kernel says that the file is what it was: whatever is
 * written to a file changes its ctime, which nobody can set.
 *
 * @param learned where it is remembered
 * @throws what the system says; Error for a file that changes meanwhile
 */
export async function sha256OfUnchanged(file: string, learned: Learned): Promise<string> {
  const before = await stateOf(file);
  const digest = async () => (await sha256OfFile(file)).toString("hex");
  if (before === undefined) return digest();
  return learned.value(["sha256", file, before], async () => {
    const found = await digest();
    if ((await stateOf(file))?.join() !== before.join()) throw new Error(`${file} has changed`);
    return found;
  });
}

/** undefined where a change could leave it as it is: runtime/cache/file_state.h has the rule. */
async function stateOf(file: string): Promise<string[] | undefined> {
  const { dev, ino, mode, uid, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
  const age = BigInt(Date.now()) * 1_000_000n - ctimeNs;
  // Whole seconds are no time of a change where the file system keeps none.
  if (age <= COARSE || ctimeNs % 1_000_000_000n === 0n) return undefined;
  return [dev, ino, mode, uid, size, mtimeNs, ctimeNs].map(String);
}
