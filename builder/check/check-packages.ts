/** What each package.json of an image depends on, found as Node finds it: in node_modules, upwards. */

import { readFile } from "node:fs/promises";
import { pathOnDisk } from "../tree/node.ts";
import { displayPath } from "../tree/path.ts";
import { resolvePath } from "../tree/resolve.ts";
import type { Tree } from "../tree/tree.ts";
import { type Warning, warning } from "../warnings.ts";
import type { Bundle } from "./check-tree.ts";

/** The package.json of an installed package; those deeper in it are its own affair. */
const INSTALLED = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/;

export async function checkPackages({ tree }: Bundle) {
  const findings: Warning[] = [];
  let count = 0;
  const apps = await appManifests(tree);
  for (const { path: at } of tree.walk()) {
    const isApp = apps.includes(at);
    if (!isApp && !INSTALLED.test(at)) continue;
    count++;
    const folder = at.split("/").slice(0, -1).join("/");
    const bundled = isApp ? await bundledPackages(tree, folder) : new Set<string>();
    for (const name of await dependenciesOf(tree, at)) {
      if (bundled.has(name) || isInstalled(tree, folder, name)) continue;
      const message = `${displayPath(at)} depends on ${name}, which is not in the image`;
      findings.push(warning("W_PACKAGE_MISSING", message));
    }
  }
  return { findings, count };
}

/** Those outside of installed packages that depend on some, with none above them that does: the app's own. */
async function appManifests(tree: Tree): Promise<string[]> {
  const own: string[] = [];
  for (const { path: at } of tree.walk()) {
    if (!/(?:^|\/)package\.json$/.test(at) || /(?:^|\/)node_modules\//.test(at)) continue;
    if ((await dependenciesOf(tree, at)).length > 0) own.push(at);
  }
  const folder = (at: string) => at.slice(0, -"package.json".length);
  return own.filter((at) => !own.some((one) => one !== at && at.startsWith(folder(one))));
}

function isInstalled(tree: Tree, folder: string, name: string): boolean {
  const parts = folder === "" ? [] : folder.split("/");
  for (let count = parts.length; count >= 0; count--) {
    if (parts[count - 1] === "node_modules") continue;
    const at = [...parts.slice(0, count), "node_modules", name, "package.json"].join("/");
    if ("found" in resolvePath(tree, at)) return true;
  }
  return false;
}

/** What must be there: not what is optional, nor what only peers may bring. */
async function dependenciesOf(tree: Tree, at: string): Promise<string[]> {
  const json = (await readJson(tree, at)) as Record<string, Record<string, unknown> | undefined>;
  const optional = Object.keys(json["optionalDependencies"] ?? {});
  return Object.keys(json["dependencies"] ?? {}).filter((name) => !optional.includes(name));
}

/** Packages that are part of a bundled program: its source map names their files. */
async function bundledPackages(tree: Tree, folder: string): Promise<Set<string>> {
  const names = new Set<string>();
  for (const { path: at } of tree.walk()) {
    if (!at.endsWith("js.map") || !at.startsWith(folder) || at.includes("node_modules/")) continue;
    const { sources } = (await readJson(tree, at)) as { sources?: unknown };
    for (const source of Array.isArray(sources) ? sources : []) {
      const [, name] = /.*\/?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(String(source)) ?? [];
      if (name !== undefined) names.add(name);
    }
  }
  return names;
}

/** An empty object for what is no JSON object: that is for Node to say. */
async function readJson(tree: Tree, at: string): Promise<object> {
  const node = tree.get(at);
  if (node?.kind !== "file" || node.contents.from !== "disk") return {};
  try {
    const value: unknown = JSON.parse(
      await readFile(Buffer.from(pathOnDisk(node.contents), "latin1"), "utf8"),
    );
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
