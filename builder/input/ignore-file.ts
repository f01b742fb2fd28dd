/**
 * Files that say what is left out, with the rules of .gitignore: the folder's own `.bundleignore`, and
 * those that a caller names. Rules with `!` and the order of rules have no counterpart in globs, so what
 * they leave out is looked up once, and becomes globs of one path each.
 */
import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import path from "node:path";
import type { Ignore } from "ignore";
import * as errors from "../errors.ts";
import { Breath } from "../host/breath.ts";
import { bytesOfFile, firstOf } from "../host/file-or-pipe.ts";
import { escapeGlob, exclusion } from "../tree/exclusion.ts";
import type { Tree } from "../tree/tree.ts";
import { prune } from "../tree/whole-trees.ts";

/** Read from the root of a folder that is packed, and not packed itself. */
const IGNORE_FILE = ".bundleignore";

/** What the system says where there is no file of rules. */
const NO_FILE = ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"];

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
 * @throws E_FILE_UNREADABLE, E_FILE_KIND, E_IGNORE_RULE for rules that cannot be read
 */
export async function ignoredGlobs(
  directory: string,
  { excludeFrom = [], signal }: IgnoreChoices,
): Promise<string[]> {
  const own = await ownRules(path.join(directory, IGNORE_FILE));
  if (own === undefined && excludeFrom.length === 0) return [];
  const rules = await emptyRules();
  for (const text of await namedRules(excludeFrom)) rules.add(text);
  if (own !== undefined) rules.add(own).add(`/${IGNORE_FILE}`);
  return (await ignoredBelow(directory, rules, new Breath(signal))).map(escapeGlob);
}

/**
 * Takes out of a tree what globs and files of rules leave out: for what is on no disk.
 *
 * @throws E_FILE_UNREADABLE, E_FILE_KIND, E_IGNORE_RULE for rules that cannot be read
 */
export async function leaveOut(
  tree: Tree,
  { exclude = [], excludeFrom = [] }: IgnoreChoices & { exclude?: readonly string[] | undefined },
): Promise<void> {
  if (exclude.length + excludeFrom.length === 0) return;
  const excluded = exclusion(exclude);
  const rules = await emptyRules();
  for (const text of await namedRules(excludeFrom)) rules.add(text);
  prune(
    tree,
    (name, isDirectory) => excluded(name) || rules.ignores(isDirectory ? `${name}/` : name),
  );
}

async function emptyRules(): Promise<Ignore> {
  const { default: ignore } = await import("ignore");
  return ignore();
}

/** The rules that a folder has itself; something else of that name is no such file. */
async function ownRules(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      return stats.isFile() ? await checkedRules(await handle.readFile("utf8"), file) : undefined;
    } finally {
      await handle.close();
    }
  } catch (cause) {
    // Of a folder that cannot be reached who packs it says that, by its name.
    if (NO_FILE.includes(errors.errnoCode(cause) ?? "")) return undefined;
    throw unreadable(file, cause);
  }
}

/** Those that a caller names; a pipe of his shell too. */
async function namedRules(files: readonly string[]): Promise<string[]> {
  const read = async (file: string) => {
    const bytes = await firstOf(bytesOfFile(file), RULES_MAX + 1).catch((cause: unknown) => {
      throw unreadable(file, cause);
    });
    return checkedRules(bytes.toString(), file);
  };
  return Promise.all(files.map(read));
}

/** A set of characters that is none would be found out by the first name that is held against it. */
async function checkedRules(text: string, file: string): Promise<string> {
  if (Buffer.byteLength(text) > RULES_MAX) {
    throw errors.fileKind(file, "file of rules of more than 1 MiB");
  }
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (!line.includes("[")) continue;
    try {
      (await emptyRules()).add(line).ignores("name");
    } catch {
      throw errors.ignoreRule(`${file}:${index + 1}`, line);
    }
  }
  return text;
}

const unreadable = (file: string, cause: unknown) =>
  cause instanceof errors.BundleError ? cause : errors.fileUnreadable(file, cause);

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
