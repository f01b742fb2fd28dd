/** What of an app stands first in the image, and what its bundle says of a start. */
import { firstFiles } from "../app/first-files.ts";
import type { App } from "../app/kind.ts";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import * as errors from "../errors.ts";
import { bytesOfFile, firstOf } from "../host/file-or-pipe.ts";
import { type StartRun, startSize } from "../manifest/start-list.ts";
import {
  hotOrder,
  type Matched,
  matchProfile,
  type StartList,
  startListOf,
} from "../profile/apply-profile.ts";
import { type HotBlocks, hotBlocks } from "../profile/hot-blocks.ts";
import type { Profile } from "../profile/profile.ts";
import { MAX_PROFILE_BYTES, parseProfile } from "../profile/text.ts";
import { planTree } from "../squashfs/plan.ts";
import { DEFAULT_BLOCK_SIZE } from "../squashfs/squashfs-options.ts";
import type { FileNode } from "../tree/node.ts";
import { displayPath } from "../tree/path.ts";
import { type Warning, warning } from "../warnings.ts";

export interface StartPlan {
  /** Files whose contents come first. */
  first: readonly FileNode[];
  /** For the manifest. */
  runs?: readonly StartRun[];
  /** Blocks that are stored uncompressed; none of an image that is taken over. */
  stored?: ReadonlyMap<FileNode, readonly number[]>;
  /** Bytes of such blocks, for the manifest. */
  storedBytes?: number;
  /** For --explain. */
  explain: readonly string[];
  /** What is to be told of a build, too. */
  reports: readonly string[];
  warnings: readonly Warning[];
}

/** Numbers of inodes in the image that will be written. */
export type NumberOf = (node: FileNode) => number;

/**
 * Reads a profile.
 *
 * @throws E_INPUT_MISSING, E_FILE_UNREADABLE, E_PROFILE_INVALID
 */
export async function readProfile(file: string): Promise<Profile> {
  try {
    return parseProfile(await firstOf(bytesOfFile(file), MAX_PROFILE_BYTES + 1), file);
  } catch (cause) {
    if (cause instanceof errors.BundleError) throw cause;
    if (errors.errnoCode(cause) === "ENOENT") throw errors.inputMissing(file, cause);
    throw errors.fileUnreadable(file, cause);
  }
}

/**
 * @param numbers those of an image that is taken over; else the tree's own
 * @throws E_PROFILE_INVALID, and E_OPTION_MISSING for a budget where nothing is known of the start
 */
export async function planStart(
  app: App,
  options: ResolvedBuildOptions,
  numbers?: NumberOf,
): Promise<StartPlan> {
  const usual = await firstFiles(app, options);
  const none = { first: usual, explain: [], reports: [], warnings: [] };
  if (options.startList === false) return none;
  const { profile: file } = options;
  const start =
    file === undefined ? app.start : { profile: await readProfile(file), from: displayPath(file) };
  if (start === undefined) {
    if (options.hotBudget !== undefined) throw nothingHot();
    return none;
  }
  const matched = matchProfile(start.profile, app.tree);
  const list = startListOf(matched.files, numbers ?? numbersOf(app));
  const first = [...new Set([...hotOrder(matched.files), ...usual])];
  const warnings = file === undefined ? [] : profileWarnings(matched, file);
  if (list === undefined) return { ...none, first, warnings };
  const reports = shortened(list, start.from);
  const hot = storedOf(matched, options);
  const explain = [startLine(list, start.from), ...reports, ...storedLine(hot, options)];
  const storedBytes = hot?.bytes ?? (numbers && app.start?.storedBytes);
  return {
    ...{ first, runs: list.runs, explain, reports, warnings },
    ...(hot && { stored: hot.blocks }),
    ...(storedBytes && { storedBytes }),
  };
}

function nothingHot(): errors.BundleError {
  const what = "a hot budget is for what a start reads, and of this app that is not known";
  return errors.optionMissing("profile", `${what}; \`bundle profile\` writes it down`);
}

function storedOf(
  { files }: Matched,
  { hotBudget, blockSize = DEFAULT_BLOCK_SIZE }: ResolvedBuildOptions,
): HotBlocks | undefined {
  return hotBudget === undefined ? undefined : hotBlocks(files, hotBudget, blockSize);
}

function storedLine(hot: HotBlocks | undefined, { hotBudget = 0 }: ResolvedBuildOptions): string[] {
  if (hot === undefined) return [];
  const kib = (bytes: number) => `${(bytes / 1024).toFixed(0)} KiB`;
  return [
    `of what it reads first ${kib(hot.bytes)} are stored uncompressed (at most ${kib(hotBudget)})`,
  ];
}

function numbersOf({ tree }: App): NumberOf {
  const { inodes } = planTree(tree);
  return (node) => {
    const number = inodes.number(node);
    if (number === undefined) throw errors.internal(new Error("a file of the tree has no inode"));
    return number;
  };
}

function profileWarnings({ files, paths, missing }: Matched, file: string): Warning[] {
  const [first] = missing;
  if (first === undefined) return [];
  if (files.length === 0) {
    const message = `${file}: none of its ${paths} paths is a file of the app, it is of another one`;
    return [warning("W_PROFILE_OTHER_APP", message)];
  }
  const which = `${displayPath(first)}${missing.length > 1 ? " for one" : ""}`;
  const message = `${file}: ${missing.length} of its ${paths} paths are no files of the app (${which})`;
  return [warning("W_PROFILE_PATHS", message)];
}

function startLine({ runs }: StartList, from: string): string {
  const { files, bytes } = startSize(runs);
  return `start list: ${bytes / 1024} KiB of ${files} files in ${runs.length} runs, from ${from}`;
}

/** A list that is not what the profile says. */
function shortened({ gap, cut }: StartList, from: string): string[] {
  const what = [
    ...(gap > 0 ? [`ranges with at most ${gap / 1024} KiB between them are joined`] : []),
    ...(cut > 0 ? [`the last ${cut} ranges are left out`] : []),
  ];
  return what.length > 0 ? [`${from} is longer than a start list: ${what.join(", and ")}`] : [];
}
