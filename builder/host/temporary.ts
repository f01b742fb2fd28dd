/**
 * Files and folders that exist only until they are published under their real name.
 *
 * They stand in a list so that whoever ends the process early can remove them: a library installs
 * no signal handlers, `cli/` does. After SIGKILL or a power cut one stays behind, under a name that
 * says what it is; it never has the name of the output.
 */
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  unlinkSync,
} from "node:fs";
import { open } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import * as errors from "../errors.ts";
import { trustedFolder } from "./trusted.ts";

interface Temporary {
  /** Of a folder that `temporaryFolder` made. */
  fd?: number;
  /** Whoever puts a folder in the place of a file keeps it. */
  isFile?: boolean;
  /** What has to be done before it can go. */
  before?: () => void;
}

/** By name. The names are random, so builds of one process have nothing to do with each other. */
const live = new Map<string, Temporary>();

/** A new name in `dir`: short whatever the output's name is, because names have at most 255 bytes. */
export function temporaryName(dir: string): string {
  const name = path.join(dir, `.bundle-${randomBytes(8).toString("hex")}.tmp`);
  live.set(name, {});
  return name;
}

/** The same for a file: whoever puts a folder there keeps it. */
export function temporaryFile(dir: string): string {
  const name = temporaryName(dir);
  live.set(name, { isFile: true });
  return name;
}

export interface TemporaryFolder {
  /** For who publishes it by a rename. */
  name: string;
  /** A path to it for as long as it is not removed or published, whatever its name leads to. */
  held: string;
}

/**
 * Makes a folder in `dir` that nobody else can enter (mode 0700). Whoever owns `dir` can put another
 * one in its place before it is open, so that is checked to be empty and of our making.
 *
 * @throws what the system says
 */
export function temporaryFolder(dir: string): TemporaryFolder {
  const name = temporaryName(dir);
  mkdirSync(name, { mode: 0o700 });
  try {
    const fd = openSync(name, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    const held = `/proc/self/fd/${fd}`;
    if (!isOfOurMaking(fd, held)) {
      closeSync(fd);
      const message = `EPERM: another folder was put in its place, mkdir '${name}'`;
      throw Object.assign(new Error(message), { code: "EPERM" });
    }
    live.set(name, { fd });
    return { name, held };
  } catch (cause) {
    removeEmpty(name);
    live.delete(name);
    throw cause;
  }
}

/** By the owner that a file gets in it: some file systems give everything to one user. */
function isOfOurMaking(fd: number, held: string): boolean {
  const file = path.join(held, ".probe");
  const probe = openSync(file, "wx", 0o600);
  try {
    unlinkSync(file);
    const { uid, mode } = fstatSync(fd);
    return uid === fstatSync(probe).uid && (mode & 0o077) === 0 && readdirSync(held).length === 0;
  } finally {
    closeSync(probe);
  }
}

/**
 * A new folder of mode 0700 for the time of some work, in TMPDIR, or where others can change what
 * that leads to, in /tmp or /var/tmp. To be removed by `removeTemporary`.
 *
 * @throws E_TMPDIR
 */
export function workFolder(): string {
  const places = [os.tmpdir(), "/tmp", "/var/tmp"];
  let cause: unknown;
  for (const place of places) {
    const dir = trustedFolder(place);
    try {
      if (dir !== undefined) return temporaryFolder(dir).name;
    } catch (thrown) {
      cause ??= thrown;
    }
  }
  throw errors.tmpdir(os.tmpdir(), cause);
}

/** A private folder that exists only once somebody asks where it is. */
export class Workspace {
  #path: string | undefined;

  /** @throws E_TMPDIR */
  get path(): string {
    this.#path ??= workFolder();
    return this.#path;
  }

  remove(): void {
    if (this.#path !== undefined) removeTemporary(this.#path);
  }
}

/** Takes a name off the list, because it was published. */
export function keepTemporary(name: string): void {
  const fd = live.get(name)?.fd;
  if (fd !== undefined) closeSync(fd);
  live.delete(name);
}

/**
 * Has something done before a temporary folder is removed, once: end a daemon that works in it. It
 * is done in a signal handler too, so it must not wait for anything of this process.
 */
export function beforeRemoval(name: string, action: () => void): void {
  const temporary = live.get(name);
  if (temporary !== undefined) temporary.before = action;
}

/** Rounds in which a folder is removed that a thread is still writing into. */
const MAX_ROUNDS = 200;

/**
 * Removes a temporary file or folder with all it holds: of a folder that `temporaryFolder` made, what
 * is in that one, whatever stands in its place by now.
 *
 * When a signal ends an extraction its thread still runs. It stops at the first folder that is gone
 * under it, so removing again wins the race.
 */
export function removeTemporary(name: string): void {
  const { fd, isFile, before } = live.get(name) ?? {};
  const held = fd === undefined ? undefined : `/proc/self/fd/${fd}`;
  before?.();
  for (let round = 1; ; round++) {
    try {
      if (isFile) removeFile(name);
      else if (held === undefined) rmSync(name, { recursive: true, force: true });
      else removeFolder(name, held);
      keepTemporary(name);
      return;
    } catch (cause) {
      const code = errors.errnoCode(cause);
      if (round === MAX_ROUNDS || (code !== "ENOTEMPTY" && code !== "EACCES")) throw cause;
      if (code === "EACCES") openFolders(held ?? name);
    }
  }
}

function removeFile(name: string): void {
  try {
    unlinkSync(name);
  } catch (cause) {
    // A file system that is read-only says so before it looks whether there is such a file.
    const isMissing = errors.errnoCode(cause) === "EROFS" && !isThere(name);
    if (isMissing) return;
    if (!["ENOENT", "EISDIR", "ENOTDIR"].includes(errors.errnoCode(cause) ?? "")) throw cause;
  }
}

const isThere = (name: string) => lstatSync(name, { throwIfNoEntry: false }) !== undefined;

/** What stands there and is not empty is not ours: it was put in the place of what was. */
function removeEmpty(name: string): void {
  try {
    rmdirSync(name);
  } catch {}
}

function removeFolder(name: string, held: string): void {
  for (const entry of readdirSync(held, "buffer")) {
    rmSync(Buffer.concat([Buffer.from(`${held}/`), entry]), { recursive: true, force: true });
  }
  removeEmpty(name);
  if (readdirSync(held).length > 0) {
    throw Object.assign(new Error(`ENOTEMPTY: a thread writes, rmdir '${name}'`), {
      code: "ENOTEMPTY",
    });
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

/**
 * Removes all that are left. Synchronous, for signal handlers.
 *
 * @throws the first failure, when all others are removed
 */
export function removeTemporaries(): void {
  const failures: unknown[] = [];
  for (const name of [...live.keys()]) {
    try {
      removeTemporary(name);
    } catch (cause) {
      keepTemporary(name);
      failures.push(cause);
    }
  }
  if (failures.length > 0) throw failures[0];
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
