/**
 * App → AppDir: what an AppImage must have is found in the tree, made from templates/appdir/ where
 * it is missing, and checked. Only the tree is changed, never the user's folder.
 */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { App } from "../app/kind.ts";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import { checkCategories } from "../config/categories.ts";
import * as errors from "../errors.ts";
import { readRegularFile } from "../host/status.ts";
import { renderTemplate } from "../host/template.ts";
import { addFile } from "../input/add-input.ts";
import { asksForLibraries } from "../libraries/add-libraries.ts";
import { fileNode, symlinkNode } from "../tree/node.ts";
import { byteString, displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import type { Warning } from "../warnings.ts";
import { filesIn, findFile, readWhole } from "./appdir-files.ts";
import { checkAppRun, checkMachines } from "./appdir-programs.ts";
import { missingLibraries } from "./appimage-libraries.ts";
import { appRunCommand } from "./apprun.ts";
import { addMetainfo, checkMetainfo } from "./appstream.ts";
import { type DesktopEntry, programOf, readDesktopEntry } from "./desktop.ts";
import { completeIcons } from "./icons.ts";
import { validateDesktopFile } from "./validators.ts";

const DESKTOP = /.\.desktop$/s;

/** What of an AppDir others ask for. */
export interface AppDir {
  desktop: DesktopEntry;
  /** Path below the root, byte string. */
  desktopFile: string;
  warnings: readonly Warning[];
}

/**
 * The program of a folder that is an AppDir, before its kind is found: AppRun, or the program that
 * its desktop entry names, for which an AppRun is then made.
 *
 * @returns what --entry would say; undefined for a folder that is no AppDir
 * @throws E_APPRUN_MISSING, E_APPRUN_NOT_EXECUTABLE, E_APPRUN_ARCH, E_OPTION_CONFLICT
 */
export async function appDirEntry(
  options: Pick<ResolvedBuildOptions, "input" | "entry" | "arch">,
): Promise<string | undefined> {
  const { input, entry } = options;
  const names: string[] = await readdir(input).catch(() => []);
  if (names.includes("AppRun")) {
    if (entry !== undefined && path.normalize(entry) !== "AppRun") {
      throw errors.optionConflict(
        (name) => `${name("entry")}, while the folder has an AppRun, which starts the app`,
      );
    }
    const stats = await stat(path.join(input, "AppRun")).catch(() => undefined);
    if (stats === undefined) throw errors.appRunMissing(input, "AppRun is a link to nothing");
    if (!stats.isFile()) throw errors.appRunMissing(input, "AppRun is not a file");
    if ((stats.mode & 0o111) === 0) throw errors.appRunNotExecutable(input, stats.mode);
    await checkAppRun(path.join(input, "AppRun"), path.join(input, "AppRun"), options.arch);
    return "AppRun";
  }
  const [desktop, ...others] = names.filter((name) => DESKTOP.test(name));
  if (entry !== undefined || desktop === undefined || others.length > 0) return entry;
  const bytes = readDesktop(path.join(input, desktop));
  const program = programOf(readDesktopEntry(bytes, desktop).exec) ?? "";
  for (const candidate of ["usr/bin", "bin", "."].map((dir) => path.join(dir, program))) {
    const stats = await stat(path.join(input, candidate)).catch(() => undefined);
    if (!stats?.isFile() || (stats.mode & 0o111) === 0) continue;
    await checkAppRun(path.join(input, candidate), path.join(input, candidate), options.arch);
    return candidate;
  }
  throw errors.appRunMissing(input, `${desktop} starts "${program}", which is not there either`);
}

function readDesktop(file: string): Buffer {
  try {
    return readRegularFile(file);
  } catch (cause) {
    throw errors.fileUnreadable(file, cause);
  }
}

/**
 * Makes a whole AppDir of an app.
 *
 * @throws E_OPTION_CONFLICT for an app with a root directory of its own, E_APPRUN_*, E_DESKTOP_*, E_ICON_*, E_APPSTREAM_INVALID, E_APPDIR_ARCH
 */
export async function completeAppDir(app: App, options: ResolvedBuildOptions): Promise<AppDir> {
  const { tree, entry } = app;
  if (entry === undefined || app.image !== undefined) {
    throw errors.optionConflict(
      (name) => `${name("format", "appimage")}, while ${name("input")} is a root directory`,
    );
  }
  if (!tree.root.entries.has("AppRun")) {
    const command = appRunCommand({ ...app, entry }, options);
    tree.add("AppRun", fileNode(renderTemplate("appdir/AppRun", command), { mode: 0o755 }));
  }
  const { name: desktopFile, made } = await findDesktopFile(app, options);
  const file = findFile(tree, desktopFile);
  if (file === undefined) {
    throw errors.desktopInvalid(displayPath(desktopFile), "it is a link to nothing, or no file");
  }
  const bytes = await readWhole(file);
  const desktop = readDesktopEntry(bytes, file.shown);
  const warnings = [
    ...(await validateDesktopFile(bytes, file.shown)),
    ...(await completeIcons(tree, desktop, { ...options, fallback: made })),
    ...(await checkMachines(tree, ["AppRun", entry], options.arch)),
    ...(reportsLibraries(app, options) ? [] : await missingLibraries(tree, options)),
  ];
  addMetainfo(tree, desktop, options);
  warnings.push(...(await checkMetainfo(tree)));
  return { desktop, desktopFile, warnings };
}

/** Whether preparing the app has looked at the libraries of its programs. */
function reportsLibraries(app: App, options: ResolvedBuildOptions): boolean {
  return app.kind !== "plain" || asksForLibraries(options);
}

/** Name of files and of the icon: the application's id, else one made of its name. */
function fileId({ appId, name }: { appId?: string | undefined; name: string }): string {
  if (appId !== undefined) return appId;
  const id = name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[-._]+|[-._]+$/g, "");
  return id || "app";
}

/** @returns name of the one desktop entry in the root; `made`: of the template */
async function findDesktopFile(
  app: App,
  options: ResolvedBuildOptions,
): Promise<{ name: string; made: boolean }> {
  const { tree } = app;
  const inRoot = [...tree.root.entries.keys()].filter((name) => DESKTOP.test(name)).sort();
  if (inRoot.length > 1) {
    throw errors.desktopAmbiguous(options.input, inRoot.map(displayPath));
  }
  const [only] = inRoot;
  if (options.desktop !== undefined) {
    if (only !== undefined) {
      throw errors.optionConflict(
        (name) => `${name("desktop")}, while the folder has ${displayPath(only)}`,
      );
    }
    const name = byteString(path.basename(options.desktop));
    if (!DESKTOP.test(name)) {
      throw errors.optionValue(
        "desktop",
        "a file whose name ends in .desktop",
        `"${options.desktop}"`,
      );
    }
    await addFile(tree, name, options.desktop, 0o644);
    return { name, made: false };
  }
  if (only !== undefined) return { name: only, made: false };
  const installed = filesIn(tree, "usr/share/applications", DESKTOP);
  if (installed.length > 1) {
    throw errors.desktopAmbiguous(
      options.input,
      installed.map(({ shown }) => shown),
    );
  }
  if (installed[0] !== undefined) {
    const name = installed[0].path.slice(installed[0].path.lastIndexOf("/") + 1);
    tree.add(name, symlinkNode(installed[0].path));
    return { name, made: false };
  }
  return { name: addDesktopFile(tree, options), made: true };
}

function addDesktopFile(tree: Tree, options: ResolvedBuildOptions): string {
  const categories = options.categories ?? ["Utility"];
  checkCategories(categories);
  const id = fileId(options);
  const text = renderTemplate("appdir/app.desktop", {
    name: options.name,
    // A launcher puts the path of the AppImage in its place; the entrypoint may be an interpreter.
    exec: fileId({ name: options.name }),
    icon: id,
    categories: categories.map((name) => `${name};`).join(""),
    terminal: String(options.terminal ?? false),
  });
  const name = byteString(`${id}.desktop`);
  tree.add(name, fileNode(text));
  return name;
}
