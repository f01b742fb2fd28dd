/** Runs a bundle and writes what its start reads as a profile, for the next build of it. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ProfileOptions,
  type ResolvedProfileOptions,
  resolveProfileOptions,
} from "../config/profile-options.ts";
import * as errors from "../errors.ts";
import { environment } from "../generated/spec.ts";
import { removeTemporary, workFolder } from "../host/temporary.ts";
import { resolveOutput, writeAtomically } from "../output/atomic.ts";
import { type ImageFiles, indexFiles, profileOfRuns } from "../profile/image-files.ts";
import { interleave, makeProfile, type Use, usesOf } from "../profile/make-profile.ts";
import type { Profile } from "../profile/profile.ts";
import { isComplete, parseRecording, startOf } from "../profile/recording.ts";
import { type AppRun, IDLE, runApp } from "../profile/run-app.ts";
import { formatProfile } from "../profile/text.ts";
import { displayPath } from "../tree/path.ts";
import { withImage } from "./inspect.ts";
import { readProfile } from "./plan-start.ts";

/** The profile that was made. */
export interface ProfileResult {
  /** Absolute path of the profile. */
  output: string;
  /** Files that it names. */
  files: number;
  /** Bytes of them that it names. */
  bytes: number;
}

/** How long a record is waited for when nobody uses the image any more, ms. */
const PATIENCE = 5000;

/** What decides how the image is mounted, which recording does for itself. */
const MOUNTING = ["FUSELAGE_MOUNT", "FUSELAGE_LINGER"];

/**
 * Starts a bundle, records what it reads until it has started, ends it and writes a profile. The app has this
 * process's standard input and output.
 *
 * @throws E_PROFILE_RUN, E_PROFILE_RECORDING, E_PROFILE_INVALID, E_OUTPUT_*, E_OPTION_*, and what reading a
 *   bundle throws
 *
 * @example
 * ```js
 * import { build, profile } from "fuselage-bundle";
 *
 * await build({ input: "hello", output: "hello.run" });
 * const { files } = await profile({ bundle: "hello.run", output: "start.profile" });
 * console.log(files > 0);
 * // Hello, world!
 * // true
 * ```
 */
export async function profile(given: ProfileOptions): Promise<ProfileResult> {
  const options = resolveProfileOptions(given);
  const output = await resolveOutput(options.output);
  const merged = await Promise.all(options.merge.map(readProfile));
  const files = await filesOf(options.bundle);
  const starts: Iterable<Use>[] = merged.map((one) => known(usesOf(one), files, options));
  for (let run = 0; run < options.runs; run++) starts.push(await recordStart(options, files));
  const made = makeProfile(interleave(starts), files.sizes);
  const text = formatProfile(made);
  await writeAtomically(output, 0o666, (handle) => handle.writeFile(text), options.output);
  return { output, ...sizeOf(made, files.sizes) };
}

/**
 * What the start list of a bundle names, as the text of a profile.
 *
 * @throws what reading a bundle throws
 */
export async function shownStart(file: string): Promise<Buffer> {
  return withImage(file, async ({ manifest }, image) => {
    const files = indexFiles(await image.list());
    const runs = profileOfRuns(manifest?.start ?? [], files);
    return formatProfile(makeProfile(usesOf(runs), files.sizes));
  });
}

function filesOf(bundle: string): Promise<ImageFiles> {
  return withImage(bundle, async ({ kind, manifest }, image) => {
    if (manifest !== undefined) return indexFiles(await image.list());
    throw errors.profileRecording(bundle, "this is no bundle of fuselage-bundle", {
      expected: "a bundle, whose runtime can record a start",
      actual: kind,
    });
  });
}

/** A profile may be of an earlier version: what the bundle has not is left out, and told. */
function known(
  uses: Iterable<Use>,
  { sizes }: ImageFiles,
  { onReport }: ResolvedProfileOptions,
): Use[] {
  const all = [...uses];
  const kept = all.filter(({ path }) => sizes.has(path));
  const gone = new Set(all.filter(({ path }) => !sizes.has(path)).map(({ path }) => path));
  if (gone.size > 0) onReport?.(`${gone.size} paths of a profile are not in the bundle any more`);
  return kept;
}

async function recordStart(
  { bundle, args, until, onReport, signal }: ResolvedProfileOptions,
  { paths }: ImageFiles,
): Promise<Use[]> {
  const folder = workFolder();
  try {
    const file = path.join(folder, "reads");
    const env: NodeJS.ProcessEnv = { ...process.env, [environment.FUSELAGE_RECORD]: file };
    for (const name of MOUNTING) delete env[name];
    const program = path.resolve(bundle);
    const onRest = () => onReport?.(waits(until));
    const command = { program, args, env, until, signal, onRest };
    const run = await runApp(command).catch((cause: unknown) => {
      signal?.throwIfAborted();
      const what = `it cannot be started: ${errors.systemReason(cause)}`;
      throw errors.profileRun(bundle, what, { cause });
    });
    const text = await recorded(file, signal);
    if (text === undefined) {
      throw errors.profileRecording(bundle, "its runtime left no record of the start", {
        ...(run.by === "itself" && { actual: endOf(run) }),
      });
    }
    checkEnd(run, bundle, until);
    const reads = startOf(parseRecording(text, bundle), {
      idle: IDLE,
      until: until === "idle" ? undefined : run.milliseconds,
    });
    if (reads.length === 0) throw errors.profileRecording(bundle, "its start has read nothing");
    onReport?.(`a start of ${Math.round(run.milliseconds)} ms, ${told(run)}`);
    return reads.flatMap(({ number, first, count }) => {
      const name = paths.get(number);
      return name === undefined ? [] : [{ path: name, first, count }];
    });
  } finally {
    removeTemporary(folder);
  }
}

const endOf = ({ status, signal }: AppRun) =>
  signal === null ? `exit status ${status}` : `an end by ${signal}`;

function told(run: AppRun): string {
  switch (run.by) {
    case "itself":
      return `ended by itself with ${endOf(run)}`;
    case "until":
      return "as long as it was to be watched";
    case "limit":
      return "still busy when it was ended; --until says when it has started";
    default:
      return "ended when it had come to rest";
  }
}

/** For who would else wait for a text that never comes, and not know for what. */
function waits(until: ResolvedProfileOptions["until"]): string {
  return `the app has come to rest, and ${wanted(until)} was not in its output yet; still waiting for it`;
}

/** The text that ends a start, as it is shown. */
function wanted(until: ResolvedProfileOptions["until"]): string {
  const text = typeof until === "object" && "text" in until ? until.text : "";
  return `"${displayPath(Buffer.from(text).toString("latin1"))}"`;
}

/** @throws E_PROFILE_RUN when what was recorded is no start */
function checkEnd(run: AppRun, bundle: string, until: ResolvedProfileOptions["until"]): void {
  if (run.by !== "itself") return;
  if (run.signal !== null) {
    throw errors.profileRun(bundle, "the app was ended by a signal", { actual: run.signal });
  }
  if (typeof until === "object" && "text" in until) {
    throw errors.profileRun(bundle, "the app has ended before its start was over", {
      expected: `${wanted(until)} in its output`,
      actual: endOf(run),
    });
  }
}

/**
 * The record, which its server writes when nobody uses the image any more. The file is there from the start of
 * whoever records.
 */
async function recorded(file: string, signal?: AbortSignal): Promise<string | undefined> {
  const end = performance.now() + PATIENCE;
  for (;;) {
    const text = await readFile(file, "latin1").catch(() => undefined);
    if (text === undefined || isComplete(text)) return text;
    if (performance.now() > end) return text === "" ? undefined : text;
    await sleep(20, undefined, { signal });
  }
}

/** What a profile names of files of these sizes. */
function sizeOf(made: Profile, sizes: ReadonlyMap<string, number>) {
  let bytes = 0;
  for (const { path, ranges } of made) {
    const size = sizes.get(path) ?? 0;
    for (const { start, end } of ranges ?? [{ start: 0, end: size }]) {
      bytes += Math.min(end, size) - start;
    }
  }
  return { files: new Set(made.map(({ path }) => path)).size, bytes };
}
