/** A dump that is a file, or comes on standard input → a tree. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { treeOfDump } from "../dump/parse-dump.ts";
import * as errors from "../errors.ts";
import { STDIN, shownInput } from "../host/standard-input.ts";
import { defaultMtime } from "../squashfs/squashfs-options.ts";
import type { Tree } from "../tree/tree.ts";

/**
 * The tree of a dump that is a file, or on standard input.
 *
 * @throws E_DUMP_INVALID, E_DUMP_OBJECT, E_PATH_INVALID, E_FILE_UNREADABLE
 */
export async function dumpTree(file: string, objects: string | undefined): Promise<Tree> {
  const shown = shownInput(file);
  const input: NodeJS.ReadableStream = file === STDIN ? process.stdin : createReadStream(file);
  const failed = new Promise<never>((_, reject) => {
    input.once("error", (cause: unknown) => reject(errors.fileUnreadable(shown, cause)));
  });
  failed.catch(() => {}); // it is raced for below
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  return Promise.race([treeOfDump(lines, shown, objects, { mtime: defaultMtime() }), failed]);
}
