/**
 * Files and folders that exist only until they are published under their real name.
 *
 * They stand in a list so that whoever ends the process early can remove them: a library installs
 * no signal handlers, `cli/` does. After SIGKILL or a power cut one stays behind, under a name that
 * says what it is; it never has the name of the output.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";

const live = new Set<string>();

/** A new name in `dir`: short whatever the output's name is, because names have at most 255 bytes. */
export function temporaryName(dir: string): string {
  const name = path.join(dir, `.bundle-${randomBytes(8).toString("hex")}.tmp`);
  live.add(name);
  return name;
}

/** Takes a name off the list, because it was published. */
export function keepTemporary(name: string): void {
  live.delete(name);
}

/** Rounds in which a folder is removed that a thread is still writing into. */
const MAX_ROUNDS = 200;

/**
 * Removes a temporary file or folder with all it holds.
 *
 * When a signal ends an extraction its thread still runs. It stops at the first folder that is gone
 * under it, so removing again wins the race.
 */
export function removeTemporary(name: string): void {
  for (let round = 1; ; round++) {
    try {
      rmSync(name, { recursive: true, force: true });
      live.delete(name);
      return;
    } catch (cause) {
      const code = errors.errnoCode(cause);
      if (round === MAX_ROUNDS || (code !== "ENOTEMPTY" && code !== "EACCES")) throw cause;
      if (code === "EACCES") openFolders(name);
    }
  }
}

/** Makes the folders below `top` writable: an image may hold folders that are not. */
function openFolders(top: string): void {
  const pending = [Buffer.from(top)];
  for (let dir = pending.pop(); dir !== undefined; dir = pending.pop()) {
    chmodSync(dir, 0o700);
    for (const name of readdirSync(dir, "buffer")) {
      const file = Buffer.concat([dir, Buffer.from("/"), name]);
      if (lstatSync(file).isDirectory()) pending.push(file);
    }
  }
}

/** Removes all that are left. Synchronous, for signal handlers. */
export function removeTemporaries(): void {
  for (const name of live) removeTemporary(name);
}

/** Makes a rename in `dir` last through a power cut. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } catch (cause) {
    // Some file systems (FUSE among them) do not know fsync of a directory.
    if (errors.errnoCode(cause) !== "EINVAL") throw cause;
  } finally {
    await handle.close();
  }
}
