/**
 * Files that say what is left out, with the rules of .gitignore: the folder's own `.bundleignore`, and
 * those that a caller names. Rules with `!` and the order of rules have no counterpart in globs, so what
 * they leave out is looked up once, and becomes globs of one path each.
 */
import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import path from "node:path";
import ignore, { type Ignore } from "ignore";
import * as errors from "../errors.ts";
import { Breath } from "../host/breath.ts";
import { escapeGlob } from "../tree/exclusion.ts";

/** Read from the root of a folder that is packed, and not packed itself. */
const IGNORE_FILE = ".bundleignore";

/** Rules that are longer are none. Bytes. */
const RULES_MAX = 1 << 20;

interface IgnoreChoices {
  /** Named by the caller; their rules go before the folder's own. */
  excludeFrom?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Globs of what the rules leave out of a folder.
 *
 * @param directory that is packed; a file has no such rules
 * @param hasOwn whether the folder's own rules count
 * @throws E_FILE_UNREADABLE, E_FILE_KIND for rules that cannot be read
 */
export async function ignoredGlobs(
  directory: string,
  { excludeFrom: files = [], signal }: IgnoreChoices,
  hasOwn = true,
): Promise<string[]> {
  const own = hasOwn ? await readRules(path.join(directory, IGNORE_FILE), true) : undefined;
  if (own === undefined && files.length === 0) return [];
  const rules = ignore();
  for (const file of files) rules.add((await readRules(file, false)) ?? "");
  if (own !== undefined) rules.add(own).add(`/${IGNORE_FILE}`);
  return (await ignoredBelow(directory, rules, new Breath(signal))).map(escapeGlob);
}

/** @param optional whether it may be missing; something else of that name is no such file either */
async function readRules(file: string, optional: boolean): Promise<string | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (!stats.isFile() || stats.size > RULES_MAX) {
        if (optional) return undefined;
        throw errors.fileKind(file, stats.isFile() ? "file of more than 1 MiB" : "special file");
      }
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (cause) {
    const code = errors.errnoCode(cause);
    if (optional && (code === "ENOENT" || code === "ENOTDIR")) return undefined;
    if (cause instanceof errors.BundleError) throw cause;
    throw errors.fileUnreadable(file, cause);
  }
}

/** Paths relative to the folder. What is in a folder that is left out is not named, nor looked at. */
async function ignoredBelow(directory: string, rules: Ignore, breath: Breath): Promise<string[]> {
  const found: string[] = [];
  const pending = [""];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    // What cannot be read is said by who packs it.
    const entries = await readdir(path.join(directory, parent), { withFileTypes: true }).catch(
      () => [],
    );
    for (const entry of entries) {
      const name = parent === "" ? entry.name : `${parent}/${entry.name}`;
      const isDirectory = entry.isDirectory();
      if (rules.ignores(isDirectory ? `${name}/` : name)) found.push(name);
      else if (isDirectory) pending.push(name);
      if (breath.isDue) await breath.take();
    }
  }
  return found;
}
