/** A folder that appears under its name only when it is complete. */
import { renameSync, statSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { isLink } from "../host/paths.ts";
import {
  keepTemporary,
  removeTemporary,
  type TemporaryFolder,
  temporaryFolder,
} from "../host/temporary.ts";
import { kindOf } from "./atomic.ts";

/**
 * Fills a new folder and gives it its name. When that fails nothing is left.
 *
 * @param dir a name that is free, or an empty folder
 * @param fill puts files into the folder, which nobody else can enter (mode 0700), by a path that
 *   leads to that folder even when somebody else may change where it stands
 * @returns absolute path of the folder, and what `fill` returned
 * @throws E_EXTRACT_EXISTS, E_EXTRACT_FAILED, E_OUTPUT_* for system calls in the folder, and whatever `fill` throws
 */
export async function publishDirectory<T>(
  dir: string,
  fill: (temporary: string) => Promise<T>,
): Promise<{ dir: string; result: T }> {
  const target = await freeDirectory(dir);
  const { name, held } = makeFolder(dir, path.dirname(target));
  try {
    const result = await fill(held);
    publish(name, target, dir);
    return { dir: target, result };
  } catch (cause) {
    removeTemporary(name);
    throw withoutTemporary(cause, held, dir);
  }
}

/** What a rename says of a name that somebody has taken since it was looked at. */
const TAKEN = ["ENOTEMPTY", "EEXIST", "ENOTDIR"];

/**
 * Gives a folder its name, in one step for signal handlers: one that came between would remove what is in a folder that
 * has its name, and that others may use.
 */
function publish(name: string, target: string, shown: string): void {
  try {
    renameSync(name, target);
  } catch (cause) {
    if (TAKEN.includes(errors.errnoCode(cause) ?? "")) {
      throw errors.extractExists(shown, "something that was put there meanwhile");
    }
    throw failed(shown, "renaming the temporary folder", cause);
  }
  keepTemporary(name);
}

/** The failure with the name that the user gave in place of one that nobody knows. */
function withoutTemporary(cause: unknown, temporary: string, dir: string): unknown {
  if (
    !(cause instanceof Error) ||
    !("path" in cause ? isIn(cause.path, temporary) : isSystem(cause))
  )
    return cause;
  const file = dir + String("path" in cause ? cause.path : temporary).slice(temporary.length);
  return cause instanceof errors.BundleError
    ? cause.withPath(file)
    : errors.outputFailed(file, "writing", cause);
}

const isIn = (file: unknown, folder: string) => typeof file === "string" && file.startsWith(folder);

/** A write to an open file names none. */
const isSystem = (cause: Error) => errors.errnoCode(cause) !== undefined;

function makeFolder(dir: string, parent: string): TemporaryFolder {
  try {
    return temporaryFolder(parent);
  } catch (cause) {
    throw failed(dir, "creating a folder", cause);
  }
}

function failed(dir: string, what: string, cause: unknown): Error {
  return errors.extractFailed(dir, `${what} failed: ${errors.systemReason(cause)}`, cause);
}

/** What is there that is no folder, in words. */
function standsThere(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return "what has gone meanwhile";
  const kind = kindOf(stats);
  return isLink(file) ? `a symbolic link to a ${kind}` : `a ${kind}`;
}

/**
 * The real path of `dir`, which is missing or an empty folder.
 *
 * @throws E_EXTRACT_EXISTS, E_EXTRACT_FAILED
 */
export async function freeDirectory(dir: string): Promise<string> {
  const there = await realpath(dir).catch((cause: unknown) => {
    if (errors.errnoCode(cause) === "ENOENT") return undefined;
    throw errors.extractFailed(dir, `cannot be used: ${errors.systemReason(cause)}`, cause);
  });
  if (there === undefined) {
    if (isLink(dir)) throw errors.extractExists(dir, "a symbolic link that leads to nothing");
    const resolved = path.resolve(dir);
    const parent = await realpath(path.dirname(resolved)).catch((cause: unknown) => {
      const what = `the folder that should hold it cannot be used: ${errors.systemReason(cause)}`;
      throw errors.extractFailed(dir, what, cause);
    });
    return path.join(parent, path.basename(resolved));
  }
  const names = await readdir(there).catch((cause: unknown) => {
    if (errors.errnoCode(cause) === "ENOENT") return undefined;
    const actual =
      errors.errnoCode(cause) === "ENOTDIR" ? standsThere(dir) : errors.systemReason(cause);
    throw errors.extractExists(dir, actual);
  });
  // It was there a moment ago.
  if (names === undefined) return freeDirectory(dir);
  if (names.length > 0)
    throw errors.extractExists(
      dir,
      names.length === 1 ? "a folder with one entry" : `a folder with ${names.length} entries`,
    );
  return there;
}
