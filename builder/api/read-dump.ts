/** A dump that is a file, or comes on standard input → a tree. */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { treeOfDump } from "../dump/parse-dump.ts";
import * as errors from "../errors.ts";
import { bytesOfFile } from "../host/file-or-pipe.ts";
import { STDIN, shownInput } from "../host/standard-input.ts";
import { defaultMtime } from "../squashfs/squashfs-options.ts";
import type { Tree } from "../tree/tree.ts";

/** Bytes of a line: names, targets and all attributes of an entry that an image can hold are less, escaped too. */
const LINE_MAX = 64 << 20;

/**
 * The tree of a dump that is a file, or on standard input.
 *
 * @throws E_DUMP_INVALID, E_DUMP_OBJECT, E_PATH_INVALID, E_FILE_UNREADABLE
 */
export async function dumpTree(file: string, objects: string | undefined): Promise<Tree> {
  const shown = shownInput(file);
  const input: NodeJS.ReadableStream =
    file === STDIN ? process.stdin : Readable.from(bytesOfFile(file), { objectMode: false });
  const failed = new Promise<never>((_, reject) => {
    input.once("error", (cause: unknown) => reject(errors.fileUnreadable(shown, cause)));
  });
  failed.catch(() => {}); // it is raced for below
  const bounded = Readable.from(withLines(input, shown), { objectMode: false });
  const endless = new Promise<never>((_, reject) => {
    bounded.once("error", reject);
  });
  endless.catch(() => {});
  const lines = createInterface({ input: bounded, crlfDelay: Number.POSITIVE_INFINITY });
  const tree = treeOfDump(lines, shown, objects, { mtime: defaultMtime() });
  return Promise.race([tree, failed, endless]);
}

/** What has no lines at all (/dev/zero, an image) is not collected until memory ends. */
async function* withLines(input: NodeJS.ReadableStream, shown: string): AsyncGenerator<Buffer> {
  let length = 0;
  for await (const one of input) {
    const chunk = Buffer.from(one);
    const end = chunk.lastIndexOf(0x0a);
    length = end < 0 ? length + chunk.length : chunk.length - end - 1;
    if (length > LINE_MAX) throw errors.dumpInvalid(shown, "has a line of more than 64 MiB");
    yield chunk;
  }
}
