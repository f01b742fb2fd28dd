/** Files of an engine under their names: all of them, or none. */
import { type FileHandle, lstat, mkdir, realpath, rm, rmdir } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { resolveOutput, writeAtomically } from "../output/atomic.ts";
import type { EngineFile } from "./engine.ts";

interface Output {
  /** Result of `freeName`. */
  target: string;
  /** As the user named it. */
  shown: string;
  text: string;
}

/**
 * Writes files into a folder, which is made where there is none.
 *
 * @param force replace files that are there
 * @returns their absolute paths
 * @throws E_ENGINE_EXISTS, E_OUTPUT_*
 */
export async function writeFiles(
  dir: string,
  files: readonly EngineFile[],
  force: boolean,
): Promise<string[]> {
  const made = await mkdir(dir, { recursive: true }).catch((cause: unknown) => {
    if (errors.errnoCode(cause) === "EEXIST") throw errors.outputNotDirectory(dir);
    throw errors.outputFailed(dir, "making the folder", cause);
  });
  try {
    const outputs: Output[] = [];
    // Every name is looked at before the first is written.
    for (const { name, text } of files) {
      const real = await realpath(dir).catch((cause: unknown) => {
        throw errors.outputFailed(dir, "opening the folder", cause);
      });
      const target = await freeName(path.join(real, name), force);
      outputs.push({ target, shown: path.join(dir, name), text });
    }
    await writeAll(outputs, force);
    return outputs.map(({ target }) => target);
  } catch (thrown) {
    if (made !== undefined) await removeEmpty(path.resolve(dir), path.resolve(made));
    throw thrown;
  }
}

/** Folders that were made, the deepest first; not one that somebody has put something into. */
async function removeEmpty(deepest: string, first: string): Promise<void> {
  try {
    for (let dir = deepest; dir.length >= first.length; dir = path.dirname(dir)) await rmdir(dir);
  } catch {
    // It stays, and so do those above it.
  }
}

/** As `writeFiles`, for an engine that reads one file, by a name that the user gave. */
export async function writeOne(file: string, text: string, force: boolean): Promise<string> {
  const target = await freeName(await resolveOutput(file), force);
  await writeAll([{ target, shown: file, text }], force);
  return target;
}

/** @throws E_ENGINE_EXISTS for one that is taken, unless it may be replaced; E_OUTPUT_* */
export async function freeName(file: string, force: boolean): Promise<string> {
  const there = await lstat(file).catch(() => undefined);
  if (there === undefined) return file;
  if (!force) throw errors.engineExists(file);
  return resolveOutput(file);
}

/**
 * Each is written before the one that it stands around gets its name: what fails leaves none of them.
 *
 * @throws E_ENGINE_EXISTS for a name that somebody has taken since it was free, unless it may be replaced
 */
async function writeAll([first, ...more]: readonly Output[], force: boolean): Promise<void> {
  if (first === undefined) return;
  let areWritten = false;
  const write = async (handle: FileHandle) => {
    await handle.writeFile(first.text);
    await writeAll(more, force);
    areWritten = true;
  };
  const taken = whenTaken(first.target, force);
  await writeAtomically(first.target, 0o666, write, first.shown, taken).catch(async (thrown) => {
    const isTaken = thrown instanceof errors.BundleError && thrown.code === "E_ENGINE_EXISTS";
    if (areWritten && isTaken) for (const { target } of more) await rm(target, { force: true });
    throw thrown;
  });
}

/** What `writeAtomically` is told of a name that was free. */
export const whenTaken = (file: string, force: boolean) =>
  force ? undefined : () => errors.engineExists(file);
