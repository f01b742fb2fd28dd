/** App → bundle. The phases in order. */

import { existsSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { environmentOf } from "../app/environment.ts";
import { explainMap, mapsOf } from "../app/folder-maps.ts";
import { explainKept, hotFiles } from "../app/hot-files.ts";
import type { App } from "../app/kind.ts";
import { withApp } from "../app/prepare.ts";
import { sandboxWarnings } from "../app/sandbox-commands.ts";
import { namespaceWarnings, recordedNeeds, startScripts } from "../app/user-namespace.ts";
import { type AppDir, appDirEntry, completeAppDir } from "../appimage/appdir.ts";
import { type Control, controlOf, type Finished, finisher, withRoom } from "../appimage/finish.ts";
import {
  type BuildOptions,
  checkRoot,
  type ResolvedBuildOptions,
  resolveBuildOptions,
} from "../config/build-options.ts";
import { imageOptions } from "../config/image-options.ts";
import type { KindName } from "../config/kind-names.ts";
import { permissionRecords } from "../config/permissions.ts";
import { parseRunOptions } from "../config/run-options.ts";
import * as errors from "../errors.ts";
import { appimageFormat, outputEndings, version } from "../generated/spec.ts";
import { frontPath, runtimePath } from "../host/paths.ts";
import { readRegularFile } from "../host/status.ts";
import { ignoredGlobs } from "../input/ignore-file.ts";
import { unmatchedGlobs } from "../input/unmatched-globs.ts";
import { checkedSysroot } from "../libraries/add-libraries.ts";
import { libcText } from "../libraries/libc/libc-record.ts";
import { type FolderMap, formatMap } from "../manifest/folder-map.ts";
import { formatKept } from "../manifest/kept-file.ts";
import { BUNDLE_DIR, fromBytes, type Manifest } from "../manifest/manifest.ts";
import { permissionWords } from "../manifest/permission-words.ts";
import { namesImage, parseReference, pathOf } from "../oci/reference.ts";
import { refuseInside, resolveOutput, writeAtomically } from "../output/atomic.ts";
import { type RunFile, readRuntime, writeRun } from "../output/write-bundle.ts";
import type { ImageFacts } from "../squashfs/squashfs-options.ts";
import { writeSquashfs } from "../squashfs/writer.ts";
import { GlobWatch } from "../tree/exclusion.ts";
import { contentSize } from "../tree/node.ts";
import { byteString, displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import { shownWarning, type Warning, warning } from "../warnings.ts";
import { checkImage } from "./check.ts";
import { holdsImage, type TakenImage, withConversion, withDump } from "./convert.ts";
import { withGathered } from "./gather-input.ts";
import { packedFiles } from "./pack-input.ts";
import { type NumberOf, planStart, type StartPlan } from "./plan-start.ts";
import { takeArtifact } from "./take-artifact.ts";

/** The bundle that was made. */
export interface BuildResult extends RunFile<ImageFacts | TakenImage> {
  /** Absolute path of the bundle. */
  output: string;
  /** "image": the input held one, which was taken over or packed again. */
  kind: KindName | "image";
  /** One line: what the app is and why. */
  summary: string;
  /** What may go wrong on other machines. */
  warnings: readonly Warning[];
  /** Of an AppImage: its desktop entry, and where newer versions are. */
  appImage?: { desktopFile: string; name: string; updateInfo?: string };
  /** Fingerprint of the key that signed it. */
  signedBy?: string;
  /** Absolute path of the control file for zsync. */
  zsyncFile?: string;
}

/** What a build would pack. */
export interface Explanation {
  /** As a build would say it. */
  kind: BuildResult["kind"];
  /** One line: what the app is and why. */
  summary: string;
  /** What goes into the file and why, one line each. */
  lines: readonly string[];
  /** What may go wrong on other machines. */
  warnings: readonly Warning[];
  /**
   * Program that is started: path below the root of the image; of a container image what its Entrypoint
   * names, "" where it has none.
   */
  entry: string;
  /** Regular files, a hard-linked one counted once. */
  files: number;
  /** Bytes of them before compression. */
  contentBytes: number;
}

/**
 * Packs an app into one executable file. Nothing is written under the output's name before all has
 * succeeded.
 *
 * @throws BundleError; docs/errors.md lists the codes
 *
 * @example
 * ```js
 * import { execFileSync } from "node:child_process";
 * import { build } from "fuselage-bundle";
 *
 * const { kind, warnings } = await build({ input: "hello", output: "hello.run", env: ["LANG=de"] });
 * console.log(kind, warnings.length); // plain 0
 * console.log(execFileSync("./hello.run", ["you"], { encoding: "utf8" }).trim()); // Hallo, you!
 * ```
 */
export async function build(given: BuildOptions): Promise<BuildResult> {
  const resolved = resolveBuildOptions(given);
  const output = await resolveOutput(resolved.output);
  for (const file of packedPaths(resolved)) await refuseInside(output, resolved.output, file);
  return withPrepared(resolved, given, ({ take, ...prepared }) =>
    write(prepared, output, take ?? packing(prepared)),
  ).catch((thrown: unknown) =>
    takeArtifact(thrown, { resolved, given, output }, (input) => build({ ...given, input })),
  );
}

/** The folder or file that the name of an input leads to, where there is one; of a dump its contents too. */
function packedPaths({ input, more, fromDump, objects }: ResolvedBuildOptions): string[] {
  if (fromDump !== undefined) return packedFiles({ output: "", fromDump, objects });
  const first = (namesImage(input) ? pathOf(parseReference(input)) : undefined) ?? input;
  return [first, ...packedFiles({ output: "", more })];
}

interface Prepared {
  app: App;
  start: StartPlan;
  appDir: AppDir | undefined;
  options: ResolvedBuildOptions;
  kind: BuildResult["kind"];
  /** Writes the image that the input holds. */
  take?: WriteImage | undefined;
}

/** Hands out what goes into the file. What it refers to exists until `use` is done. */
async function withPrepared<T>(
  resolved: ResolvedBuildOptions,
  given: Pick<BuildOptions, "arch">,
  use: (prepared: Prepared) => Promise<T>,
): Promise<T> {
  await checkedSysroot(resolved.sysroot);
  const watch = new GlobWatch(resolved.exclude ?? []);
  return watch.run(() => withWatched(resolved, given, watch, use));
}

async function withWatched<T>(
  resolved: ResolvedBuildOptions,
  given: Pick<BuildOptions, "arch">,
  watch: GlobWatch,
  use: (prepared: Prepared) => Promise<T>,
): Promise<T> {
  const withStart = async (prepared: Omit<Prepared, "start">, numbers?: NumberOf) => {
    const { app, options } = prepared;
    if (isRoot(app, options)) checkRoot(options, options.format);
    else if (options.run)
      throw errors.optionConflict((name) => `${name("run")} without ${name("root", true)}`);
    const scripts = ownScripts(options.input);
    // With the image as root a set-id program has the rights that the image's users can have.
    const more = isRoot(app, options)
      ? []
      : [
          ...(await namespaceWarnings(app, options, scripts)),
          ...(await sandboxWarnings(app, options)),
        ];
    const start = await planStart(app, options, numbers);
    const hot = await hotFiles(app, options.keepHot);
    const unmatched = await unmatchedGlobs(watch, options.input, options.signal);
    const found = [start.warnings, hot.warnings, unmatched].flat();
    const warnings = [...app.warnings, ...more, ...found];
    return use({ ...prepared, start, app: { ...app, kept: hot.files, warnings } });
  };
  if (resolved.fromDump !== undefined) {
    return withDump(resolved, (prepared) => withStart({ ...prepared, kind: "image" }));
  }
  if (await holdsImage(resolved.input)) {
    return withConversion(resolved, given.arch !== undefined, ({ numbers, ...conversion }) =>
      withStart({ ...conversion, kind: "image" }, numbers),
    );
  }
  const isAppImage = resolved.format === "appimage";
  return withGathered(resolved, async (gathered) => {
    const complete = await withIgnored(gathered);
    const options = isAppImage ? await withAppDirEntry(complete) : complete;
    return withApp(options, async (app) => {
      const appDir = isAppImage ? await completeAppDir(app, options) : undefined;
      return withStart({ app, appDir, options, kind: app.kind });
    });
  });
}

/** Files say what to leave out, too. */
async function withIgnored(options: ResolvedBuildOptions): Promise<ResolvedBuildOptions> {
  const ignored = await ignoredGlobs(options.input, options);
  return ignored.length === 0
    ? options
    : { ...options, exclude: [...(options.exclude ?? []), ...ignored] };
}

/** What a start of the app runs by its package.json, where it has one. */
function ownScripts(input: string): string[] {
  try {
    return startScripts(readRegularFile(path.join(input, "package.json")).toString("utf8"));
  } catch {
    return []; // Who packs it says what is wrong with it.
  }
}

/** What files keep where nobody has said it. */
function withKept({ keeps }: App, options: ResolvedBuildOptions): ResolvedBuildOptions {
  const { owner, keepOwners, keepMtimes } = options;
  return {
    ...options,
    keepOwners: keepOwners ?? (owner === undefined && keeps?.owners),
    keepMtimes: keepMtimes ?? keeps?.mtimes,
  };
}

type WriteImage = (fd: number, offset: number) => Promise<ImageFacts | TakenImage>;

function packing({ app, start, options }: Prepared): WriteImage {
  const image = {
    ...imageOptions(withKept(app, options)),
    first: start.first,
    ...(start.stored && { stored: start.stored }),
    ...(app.earlyBlocks !== undefined && { earlyBlocks: app.earlyBlocks }),
  };
  return (fd, offset) => {
    const { files, contentBytes } = sizes(app.tree);
    const size = `${(contentBytes / (1 << 20)).toFixed(1)} MiB`;
    options.onStep?.(`compressing ${size} in ${files} ${files === 1 ? "file" : "files"}`);
    return writeSquashfs(app.tree, { fd, offset }, image);
  };
}

/** Writes the file and what belongs beside it. */
async function write(
  { app, start, appDir, options, kind }: Prepared,
  output: string,
  writeImage: WriteImage,
): Promise<BuildResult> {
  const maps = mapsOf(app.tree, options.maps);
  const program = takesRunner(app, options, maps) ? runtimePath : frontPath;
  const runtime = withRoom(await readRuntime(program(options.arch)), options);
  const { finish, finished } = finisher(runtime, options, output);
  const warnings = warningsOf(app, appDir, options, output);
  for (const line of start.reports) options.onReport?.(line);
  const updates = finished.updateInfo !== undefined;
  const control = updates ? await resolveOutput(`${output}${outputEndings.updates}`) : undefined;
  const complete = async (handle: FileHandle) => {
    await finish.complete?.(handle);
    if (options.check) await requireClosed(handle, options);
  };
  const whole = { ...finish, complete, shown: options.output };
  const invocation = { ...invocationOf(app, options, maps), ...startOf(start) };
  const file = await writeRun(output, runtime, invocation, writeImage, whole);
  const more = { ...resultOf(appDir, finished), ...(await writeZsync(output, control, finished)) };
  return { ...file, ...more, output, kind, summary: app.summary, warnings };
}

/** What maps, a root of its own and a sandbox take is in the larger program alone: most bundles have none. */
const takesRunner = (app: App, options: ResolvedBuildOptions, maps: readonly FolderMap[]) =>
  maps.length > 0 || isRoot(app, options) || isSandboxed(options);

const isSandboxed = ({ sandbox, permissions }: Pick<BuildOptions, "sandbox" | "permissions">) =>
  sandbox || permissions !== undefined;

const startOf = ({ runs, storedBytes }: StartPlan) => ({
  ...(runs && { start: runs }),
  ...(storedBytes && { storedBytes }),
});

/** Looks at the whole file before it has its name. @throws E_NOT_CLOSED */
async function requireClosed(
  handle: FileHandle,
  { output, targetHas = [] }: ResolvedBuildOptions,
): Promise<void> {
  const { findings } = await checkImage(`/proc/self/fd/${handle.fd}`, targetHas);
  if (findings.length > 0) throw errors.notClosed(output, findings.map(shownWarning));
}

/**
 * Everything that there is to warn of, before a byte is written.
 *
 * @param output absolute path of the file; undefined: none will be written
 * @throws E_WARNINGS where there is any and the options say so
 */
function warningsOf(
  app: App,
  appDir: AppDir | undefined,
  { strict, updateInfo }: ResolvedBuildOptions,
  output?: string,
): Warning[] {
  const warnings = [...app.warnings, ...(appDir?.warnings ?? [])];
  const control = `${output}${outputEndings.updates}`;
  if (output !== undefined && appDir && updateInfo === undefined && existsSync(control)) {
    const message = `${path.basename(control)} describes another build; remove it`;
    warnings.push(warning("W_ZSYNC_STALE", message));
  }
  if (strict && warnings.length > 0) throw errors.warnings(warnings.map(shownWarning));
  return warnings;
}

/** A folder that is to be an AppImage may say by itself what starts. */
async function withAppDirEntry(options: ResolvedBuildOptions): Promise<ResolvedBuildOptions> {
  const entry = await appDirEntry(options);
  return entry === undefined ? options : { ...options, entry };
}

function resultOf(
  appDir: AppDir | undefined,
  { updateInfo, signedBy }: Finished,
): Pick<BuildResult, "appImage" | "signedBy"> {
  return {
    ...(appDir && {
      appImage: {
        desktopFile: displayPath(appDir.desktopFile),
        name: appDir.desktop.name,
        ...(updateInfo !== undefined && { updateInfo }),
      },
    }),
    ...(signedBy !== undefined && { signedBy }),
  };
}

/**
 * The control file describes the file as it is now, so it is written when that has its name. Where another build has put
 * its file there meanwhile, and perhaps its control file before this one, it is written again, of that.
 */
async function writeZsync(
  output: string,
  zsyncFile: string | undefined,
  { zsync }: Finished,
): Promise<Pick<BuildResult, "zsyncFile">> {
  if (zsync === undefined || zsyncFile === undefined) return {};
  for (let control: Control | undefined = zsync; control !== undefined; ) {
    const { bytes, inode } = control;
    await writeAtomically(zsyncFile, 0o666, (handle) => handle.writeFile(bytes));
    control = await otherControl(output, inode);
  }
  return { zsyncFile };
}

/** The control file of what is there; undefined: it is what has one, or nothing. */
async function otherControl(output: string, inode: string): Promise<Control | undefined> {
  const handle = await open(output).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const { dev, ino } = await handle.stat({ bigint: true });
    return `${dev}:${ino}` === inode ? undefined : await controlOf(handle, output);
  } catch (cause) {
    return errors.readingFailed(output)(cause);
  } finally {
    await handle.close();
  }
}

/**
 * Prepares an app as `build` does and says what would go into the file; nothing is written.
 *
 * @throws as `build`
 *
 * @example
 * ```js
 * import { explain } from "fuselage-bundle";
 *
 * const { kind, entry, files } = await explain({ input: "hello" });
 * console.log(kind, entry, files); // plain bin/hello 2
 * ```
 */
export async function explain(
  given: Omit<BuildOptions, "output"> & { output?: string },
): Promise<Explanation> {
  // No file is written, so any name will do for the check of the other options.
  const output = given.output || "unwritten";
  const resolved = { ...resolveBuildOptions({ ...given, output }), explains: true };
  return withPrepared(resolved, given, async ({ app, start, appDir, options, kind }) => ({
    kind,
    summary: app.summary,
    lines: [
      ...app.explain,
      ...start.explain,
      ...needsLine(recordedNeeds(app, options)),
      ...mapsOf(app.tree, options.maps).map(explainMap),
      ...sandboxLines(options),
      ...(app.kept ?? []).map(explainKept),
    ],
    warnings: warningsOf(app, appDir, options),
    entry: displayPath(app.entry ?? app.args[0] ?? ""),
    ...sizes(app.tree),
  }));
}

/** What the app may do in its sandbox. */
const sandboxLines = (options: ResolvedBuildOptions) =>
  isSandboxed(options)
    ? recordedPermissions(options).map((rule) => `sandbox: ${permissionWords(fromBytes(rule))}`)
    : [];

const recordedPermissions = ({ permissions = {} }: Pick<BuildOptions, "permissions">) =>
  permissionRecords(permissions);

const needsLine = (needs: readonly string[]) =>
  needs.length > 0 ? [`needs: ${needs.join(", ")}, of the user namespace of its caller`] : [];

/** Whether the image is the app's root directory: that of a container always is. */
const isRoot = (app: App, { root = false }: Pick<BuildOptions, "root">) =>
  root || app.image !== undefined;

/** What is recorded of a start with the image as root. @throws E_RUN_OPTION */
function rootOf(app: App, options: ResolvedBuildOptions): Partial<Manifest> {
  const run = parseRunOptions(options.run ?? []).map(byteString);
  const recorded = app.image?.run ?? [];
  return {
    root: "image",
    ...app.image,
    ...(run.length > 0 && { run: [...recorded, ...run] }),
  };
}

/** What the bundle records. */
function invocationOf(
  app: App,
  options: ResolvedBuildOptions,
  maps: readonly FolderMap[],
): Omit<Manifest, "imageSize"> {
  const args = [...app.args, ...options.args];
  const { unset, env, ...built } = environmentOf(app, options);
  const needs = recordedNeeds(app, options);
  return {
    name: byteString(options.name),
    ...(app.entry !== undefined && { entry: app.entry }),
    args: args.map(byteString),
    ...(args.some((arg) => arg.includes(BUNDLE_DIR)) && { expandArgs: true }),
    ...(unset.length > 0 && { unset: unset.map(byteString) }),
    env: env.map(byteString),
    ...Object.fromEntries(
      Object.entries(built)
        .filter(([, list]) => list.length > 0)
        .map(([key, list]) => [key, list.map(byteString)]),
    ),
    ...(options.mountAt !== undefined && { mountAt: byteString(options.mountAt) }),
    ...(maps.length > 0 && { maps: maps.map(formatMap) }),
    ...(options.writable && { writable: true }),
    ...(needs.length > 0 && { needs }),
    noRuntimeOptions: options.runtimeOptions === false,
    ...(options.format === "appimage" && { appImageType: appimageFormat.type }),
    ...(app.kept && app.kept.length > 0 && { keep: app.kept.map(formatKept) }),
    ...(app.openssl !== undefined && { openssl: byteString(app.openssl) }),
    ...(app.libc && app.libc.length > 0 && { libc: app.libc.map(libcText).map(byteString) }),
    ...(isRoot(app, options) && rootOf(app, options)),
    ...(isSandboxed(options) && { sandbox: recordedPermissions(options) }),
    version,
    arch: options.arch,
  };
}

function sizes(tree: Tree): { files: number; contentBytes: number } {
  const seen = new Set<unknown>();
  let contentBytes = 0;
  for (const { node } of tree.walk()) {
    if (node.kind !== "file" || seen.has(node)) continue;
    seen.add(node);
    contentBytes += contentSize(node.contents);
  }
  return { files: seen.size, contentBytes };
}
