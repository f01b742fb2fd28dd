/**
 * A file that appears under its name only when it is complete and on disk.
 *
 * The temporary file has a name in the same folder rather than none (O_TMPFILE): a nameless file
 * can be linked to a new name only, and the output may exist already, so a named step is needed
 * anyway.
 */
import { constants, linkSync, type Stats } from "node:fs";
import { access, type FileHandle, lstat, open, realpath, rename, stat } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { isLink } from "../host/paths.ts";
import { keepTemporary, removeTemporary, syncDirectory, temporaryFile } from "../host/temporary.ts";

/**
 * Where output to `file` really goes: symbolic links are followed, so that the link survives. Whoever works long
 * before he writes asks this first.
 *
 * @returns an absolute path whose folder exists, and may be written to
 * @throws E_OUTPUT_DIRECTORY, E_OUTPUT_FAILED (the folder is missing, or a device or the like
 *   stands there, which a rename would replace), E_OUTPUT_PERMISSION
 */
export async function resolveOutput(file: string): Promise<string> {
  const target = await outputPath(file);
  await requireWritable(path.dirname(target), file);
  return target;
}

/**
 * That a folder may be written to, or where there is none yet the one that it would be made in.
 *
 * @param shown what is to be written, as the user named it
 * @throws E_OUTPUT_PERMISSION, E_OUTPUT_FAILED
 */
export async function requireWritable(folder: string, shown = folder): Promise<void> {
  for (let dir = path.resolve(folder); ; dir = path.dirname(dir)) {
    try {
      await access(dir, constants.W_OK | constants.X_OK);
      return;
    } catch (cause) {
      if (errors.errnoCode(cause) === "ENOENT" && path.dirname(dir) !== dir) continue;
      const name = path.isAbsolute(shown) ? dir : path.relative(process.cwd(), dir) || ".";
      throw errors.outputFailed(shown, `writing to the folder ${name}`, cause);
    }
  }
}

async function outputPath(file: string): Promise<string> {
  if (file.endsWith("/")) throw errors.outputDirectory(file);
  const there = await lstat(file).catch((cause: unknown) => {
    if (errors.errnoCode(cause) === "ENOENT") return undefined;
    throw errors.outputFailed(file, "looking it up", cause);
  });
  if (there === undefined) {
    const dir = path.dirname(file);
    const parent = await realpath(dir).catch((cause: unknown) => {
      throw errors.outputFailed(file, `opening the folder ${dir}`, cause);
    });
    return path.join(parent, path.basename(file));
  }
  const followed = await follow(file).catch((cause: unknown) => {
    // It was there a moment ago. A link that leads to nothing is.
    if (errors.errnoCode(cause) === "ENOENT" && !isLink(file)) return undefined;
    throw errors.outputFailed(file, "following the symbolic link", cause);
  });
  if (followed === undefined) return outputPath(file);
  const { target, stats } = followed;
  if (stats.isDirectory()) throw errors.outputDirectory(file);
  if (!stats.isFile()) throw errors.outputNotFile(file, `a ${kindOf(stats)}`);
  return target;
}

async function follow(file: string): Promise<{ target: string; stats: Stats }> {
  const target = await realpath(file);
  return { target, stats: await stat(target) };
}

/**
 * Refuses an output inside the input: the next build would pack the output of this one, and so on.
 *
 * @param output result of `resolveOutput` @param shown the same as the user named it
 * @throws E_OUTPUT_INSIDE_INPUT
 */
export async function refuseInside(output: string, shown: string, input: string): Promise<void> {
  const dir = await realpath(input).catch(() => undefined);
  if (dir === undefined) return; // Reading the folder says what is wrong with it.
  if (dir === output) throw errors.outputIsInput(shown);
  const [first] = path.relative(dir, output).split(path.sep);
  if (first !== "..") throw errors.outputInsideInput(shown, input);
}

/** What a file is, in words. */
export function kindOf(stats: Stats): string {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symbolic link";
  if (stats.isBlockDevice()) return "block device";
  if (stats.isCharacterDevice()) return "character device";
  return stats.isFIFO() ? "fifo" : "socket";
}

/** Whether it is of what becomes `file`, and of no other that was written on the way, in TMPDIR say. */
const isOfOutput = (thrown: unknown, file: string): thrown is errors.BundleError =>
  thrown instanceof errors.BundleError &&
  thrown.code.startsWith("E_OUTPUT_") &&
  (thrown.path === undefined ||
    !path.isAbsolute(thrown.path) ||
    path.dirname(thrown.path) === path.dirname(file));

/**
 * Writes `file` through `write`, which fills the handle it is given. When it fails nothing is left
 * and an earlier `file` is unchanged.
 *
 * @param file result of `resolveOutput`
 * @param mode permission bits before the umask
 * @param shown the same as the user named it
 * @param taken what is thrown where the name is taken by then; undefined: what has it is replaced
 * @throws E_OUTPUT_* for failed system calls, and whatever `write` throws
 */
export async function writeAtomically<T>(
  file: string,
  mode: number,
  write: (handle: FileHandle) => Promise<T>,
  shown = file,
  taken?: () => Error,
): Promise<T> {
  const temporary = temporaryFile(path.dirname(file));
  let step = "creating the file";
  let result: T;
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    const handle = await open(temporary, flags, mode);
    try {
      step = "writing";
      result = await write(handle);
      step = "writing to disk (fsync)";
      await handle.sync();
    } finally {
      await handle.close();
    }
    step = "renaming the temporary file";
    if (taken === undefined) {
      await rename(temporary, file);
      keepTemporary(temporary);
    } else if (!(await isNamed(temporary, file))) throw taken();
  } catch (cause) {
    removeTemporary(temporary);
    // A writer that has only a descriptor cannot name the file; here it has a name.
    const reason = isOfOutput(cause, file) ? cause.cause : cause;
    throw errors.errnoCode(reason) === undefined ? cause : errors.outputFailed(shown, step, reason);
  }
  await syncDirectory(path.dirname(file)).catch((cause: unknown) => {
    const left = "The file is there and whole; a power cut may bring back what was there before.";
    throw errors.outputBroken(shown, "writing the folder to disk (fsync)", cause, left);
  });
  return result;
}

/** What a file system says that knows no second name of a file. */
const NO_LINKS = ["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EMLINK"];

/**
 * Gives a file its name where nothing has it. A rename would take it from whoever came first.
 *
 * @returns false: something has it, and the file is as it was
 * @throws what the system says
 */
export async function isNamed(temporary: string, file: string): Promise<boolean> {
  try {
    // Whoever reads the file takes the end of its second name for a change of it.
    linkSync(temporary, file);
    removeTemporary(temporary);
    return true;
  } catch (cause) {
    const code = errors.errnoCode(cause) ?? "";
    if (code === "EEXIST") return false;
    if (!NO_LINKS.includes(code)) throw cause;
  }
  // The least that is left between a look and a rename.
  if ((await lstat(file).catch(() => undefined)) !== undefined) return false;
  await rename(temporary, file);
  keepTemporary(temporary);
  return true;
}
