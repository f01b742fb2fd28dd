/** AppStream metadata: what software centres show. An AppImage need not have it. */

import type { ResolvedBuildOptions } from "../config/build-options.ts";
import * as errors from "../errors.ts";
import { renderTemplate } from "../host/template.ts";
import { fileNode } from "../tree/node.ts";
import type { Tree } from "../tree/tree.ts";
import type { Warning } from "../warnings.ts";
import { filesIn, readWhole, type TreeFile } from "./appdir-files.ts";
import type { DesktopEntry } from "./desktop.ts";
import { validateMetainfo } from "./validators.ts";

/** Today's folder and the one before it. */
const FOLDERS = ["usr/share/metainfo", "usr/share/appdata"];
const METAINFO = /.\.(metainfo|appdata)\.xml$/s;

function metainfoFiles(tree: Tree): TreeFile[] {
  return FOLDERS.flatMap((folder) => filesIn(tree, folder, METAINFO));
}

/**
 * Adds metadata with what is known of the app. That needs an id of its own: without one no checker
 * of AppStream takes it.
 */
export function addMetainfo(
  tree: Tree,
  desktop: DesktopEntry,
  { appId, summary }: Pick<ResolvedBuildOptions, "appId" | "summary">,
): void {
  if (appId === undefined || metainfoFiles(tree).length > 0) return;
  const values = { id: appId, name: desktop.name, summary: summary ?? desktop.name };
  const text = renderTemplate("appdir/app.metainfo.xml", values);
  tree.add(`${FOLDERS[0]}/${appId}.metainfo.xml`, fileNode(text));
}

/**
 * Checks the metadata that is there.
 *
 * @returns warnings
 * @throws E_APPSTREAM_INVALID
 */
export async function checkMetainfo(tree: Tree): Promise<Warning[]> {
  const warnings: Warning[] = [];
  for (const file of metainfoFiles(tree)) {
    const bytes = await readWhole(file);
    // Enough to see that it is metadata at all, where appstreamcli is not installed.
    if (!/<(component|application)[\s>]/.test(bytes.toString("utf8"))) {
      throw errors.appstreamInvalid(file.shown, "it has no element <component>");
    }
    warnings.push(...(await validateMetainfo(bytes, file.shown)));
  }
  return warnings;
}
