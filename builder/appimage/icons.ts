/** The icons that an AppDir must have in its root: the one of its desktop entry, and .DirIcon. */
import path from "node:path";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import * as errors from "../errors.ts";
import { templatesPath } from "../host/paths.ts";
import { readRegularFile } from "../host/status.ts";
import { fileNode } from "../tree/node.ts";
import { byteString, displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import { type Warning, warning } from "../warnings.ts";
import { findFile, readWhole, type TreeFile } from "./appdir-files.ts";
import type { DesktopEntry } from "./desktop.ts";
import { DIR_ICON_SIZE, identifyIcon, MAX_ICON_SIZE, renderIcon } from "./icon.ts";

const DIR_ICON = ".DirIcon";

/** What is larger is no icon. Bytes. */
const MAX_ICON_BYTES = 1 << 26;

/** Endings of icons in the order in which AppImage's tools look for them. */
const ENDINGS = [".png", ".svg", ".xpm"];

/**
 * Sees to it that both icons are there and are images.
 *
 * @returns warnings
 * @throws E_ICON_MISSING, E_ICON_FORMAT
 */
export async function completeIcons(
  tree: Tree,
  desktop: DesktopEntry,
  options: Pick<ResolvedBuildOptions, "icon" | "input"> & {
    /** Take the drawing of the templates where there is no icon. */
    fallback: boolean;
  },
): Promise<Warning[]> {
  const name = byteString(desktop.icon);
  if (options.icon !== undefined) await addIcon(tree, name, options.icon);
  const icon = rootIcon(tree, name) ?? (await installedIcon(tree, name, options));
  const bytes = await readWhole(icon);
  const { format, size } = identifyIcon(bytes, icon.shown);
  const shown = findFile(tree, DIR_ICON);
  if (shown !== undefined) {
    const own = await readWhole(shown);
    if (identifyIcon(own, DIR_ICON).format === "png") return [];
    replaceFile(tree, DIR_ICON, await renderIcon(own, DIR_ICON, DIR_ICON_SIZE));
    return [warning("W_ICON", `${DIR_ICON} was no PNG; the packed one is made of it`)];
  }
  tree.root.entries.delete(DIR_ICON);
  const fits = format === "png" && Math.max(size?.width ?? 0, size?.height ?? 0) <= MAX_ICON_SIZE;
  // A second name of the same file costs nothing.
  if (fits) tree.add(DIR_ICON, icon.node);
  else replaceFile(tree, DIR_ICON, await renderIcon(bytes, icon.shown, DIR_ICON_SIZE));
  return [];
}

function replaceFile(tree: Tree, name: string, bytes: Uint8Array): void {
  tree.root.entries.delete(name);
  tree.add(name, fileNode(bytes));
}

function rootIcon(tree: Tree, name: string): TreeFile | undefined {
  for (const ending of ENDINGS) {
    const file = findFile(tree, name + ending);
    if (file !== undefined) return file;
  }
  return undefined;
}

function iconBytes(file: string): Buffer {
  try {
    return readRegularFile(file, MAX_ICON_BYTES);
  } catch (cause) {
    if (errors.errnoCode(cause) === "ENOENT") throw errors.inputMissing(file, cause);
    throw errors.fileUnreadable(file, cause);
  }
}

/** Puts --icon into the root: SVG and PNG as they are, unless larger than any theme has them. */
async function addIcon(tree: Tree, name: string, file: string): Promise<void> {
  const bytes = iconBytes(file);
  const { format, size } = identifyIcon(bytes, file);
  for (const ending of ENDINGS) tree.root.entries.delete(name + ending);
  if (format === "svg") {
    // Drawn once, so that a broken one is found now.
    await renderIcon(bytes, file, DIR_ICON_SIZE);
    replaceFile(tree, `${name}.svg`, bytes);
    return;
  }
  const fits = format === "png" && Math.max(size?.width ?? 0, size?.height ?? 0) <= MAX_ICON_SIZE;
  const png = fits ? bytes : await renderIcon(bytes, file, MAX_ICON_SIZE);
  replaceFile(tree, `${name}.png`, png);
}

/**
 * The best icon of the name in the folders where programs install theirs, copied into the root;
 * for an app that came without anything of an AppDir, the one of the templates.
 */
async function installedIcon(
  tree: Tree,
  name: string,
  { input, fallback }: { input: string; fallback: boolean },
): Promise<TreeFile> {
  const themes = sizesOf(tree).map((size) => `usr/share/icons/hicolor/${size}/apps`);
  for (const folder of [...themes, "usr/share/pixmaps", "usr/share/icons"]) {
    for (const ending of ENDINGS) {
      const file = findFile(tree, `${folder}/${name}${ending}`);
      if (file === undefined) continue;
      tree.add(name + ending, file.node);
      return { ...file, path: name + ending };
    }
  }
  const own = findFile(tree, DIR_ICON);
  if (own !== undefined && identifyIcon(await readWhole(own), DIR_ICON).format === "png") {
    tree.add(`${name}.png`, own.node);
    return own;
  }
  if (fallback) {
    await addIcon(tree, name, path.join(templatesPath(), "appdir", "icon.svg"));
    const drawn = rootIcon(tree, name);
    if (drawn !== undefined) return drawn;
  }
  throw errors.iconMissing(input, displayPath(name));
}

/** Folders of the theme: drawings first, then the largest pictures. */
function sizesOf(tree: Tree): string[] {
  const theme = tree.get("usr/share/icons/hicolor");
  if (theme?.kind !== "directory") return [];
  const pixels = (size: string) =>
    size === "scalable" ? Infinity : Number.parseInt(size, 10) || 0;
  return [...theme.entries.keys()].sort((a, b) => pixels(b) - pixels(a));
}
