/** Files of an engine under their names: all of them, or none. */
import { type FileHandle, lstat, mkdir, realpath, rmdir } from "node:fs/promises";
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
      const target = await freeName(path.join(await realpath(dir), name), force);
      outputs.push({ target, shown: path.join(dir, name), text });
    }
    await writeAll(outputs);
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
  await writeAll([{ target, shown: file, text }]);
  return target;
}

/** @throws E_ENGINE_EXISTS for one that is taken, unless it may be replaced; E_OUTPUT_* */
export async function freeName(file: string, force: boolean): Promise<string> {
  const there = await lstat(file).catch(() => undefined);
  if (there === undefined) return file;
  if (!force) throw errors.engineExists(file);
  return resolveOutput(file);
}

/** Each is written before the one that it stands around gets its name: what fails leaves none of them. */
async function writeAll([first, ...more]: readonly Output[]): Promise<void> {
  if (first === undefined) return;
  const write = async (handle: FileHandle) => {
    await handle.writeFile(first.text);
    await writeAll(more);
  };
  await writeAtomically(first.target, 0o666, write, first.shown);
}
