/** Making a folder that may have to be kept somewhere that the environment names. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { errnoCode } from "../errors.ts";

/**
 * Makes a folder and those above it, unless they are there.
 *
 * Node's own `recursive` does not come back where a folder is said to be missing and cannot be made
 * either, as everything below /proc: there it tries again for ever.
 *
 * @param dir absolute path
 * @param mode permissions of what is made
 * @throws what the system says
 */
export function makeFolder(dir: string, mode: number): void {
  try {
    makeOne(dir, mode);
  } catch (cause) {
    const parent = path.dirname(dir);
    if (errnoCode(cause) !== "ENOENT" || parent === dir) throw cause;
    makeFolder(parent, mode);
    makeOne(dir, mode);
  }
}

/** What is there, folder or not, whoever uses it will see. */
function makeOne(dir: string, mode: number): void {
  try {
    mkdirSync(dir, { mode });
  } catch (cause) {
    if (errnoCode(cause) !== "EEXIST") throw cause;
  }
}
