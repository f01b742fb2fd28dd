// A copy of a folder whose folders list their entries in another order: on most file systems that is the order
// in which they were made, or its opposite.

import { chmodSync, lchownSync, lstatSync, lutimesSync, mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import * as errors from "../errors.ts";
import { runCommand } from "../host/command.ts";

export interface CopyOptions {
  /** By how much all its times of last change are later, ms. */
  ahead: number;
  /** Whom it belongs to; undefined: as root's copies do, to the same. */
  owner: { uid: number; gid: number } | undefined;
  signal?: AbortSignal | undefined;
}

const COPY = `cd "$1" && find "./$2" -print0 | LC_ALL=C sort -rz |
  tar --create --no-recursion --null --files-from=- --xattrs '--xattrs-include=*' --sparse --file=- |
  tar --extract --xattrs '--xattrs-include=*' --same-permissions --numeric-owner --file=- --directory="$3"`;

/**
 * Copies a folder or a file, its links, permissions and extended attributes too. Needs bash, find, sort and
 * tar, as GNU has them.
 *
 * @param to must not exist; has the same name
 * @throws E_FILE_UNREADABLE
 */
export async function copyBackwards(
  from: string,
  to: string,
  { ahead, owner, signal }: CopyOptions,
): Promise<void> {
  mkdirSync(path.dirname(to), { recursive: true });
  const args = [path.dirname(from), path.basename(from), path.dirname(to)];
  const copied = await runCommand("bash", ["-o", "pipefail", "-c", COPY, "bash", ...args], {
    signal,
  }).catch((cause: unknown) => {
    throw errors.fileUnreadable(from, cause);
  });
  signal?.throwIfAborted();
  if (copied.status !== 0) {
    throw errors.fileUnreadable(from, new Error(copied.stderr.trim().split("\n")[0]));
  }
  if (ahead !== 0 || owner !== undefined) change(Buffer.from(to), ahead, owner);
}

/** What is in a folder goes first: it is then no matter that the folder's own time changes. */
function change(file: Buffer, ahead: number, owner: CopyOptions["owner"]): void {
  const stats = lstatSync(file);
  if (stats.isDirectory()) {
    for (const name of readdirSync(file, "buffer")) {
      change(Buffer.concat([file, Buffer.from("/"), name]), ahead, owner);
    }
  }
  if (owner !== undefined) {
    lchownSync(file, owner.uid, owner.gid);
    // A new owner takes set-id bits away.
    if (!stats.isSymbolicLink()) chmodSync(file, stats.mode & 0o7777);
  }
  lutimesSync(file, stats.atimeMs / 1000, (stats.mtimeMs + ahead) / 1000);
}
