/** A project as it is: its own files, and the packages that it needs in production. */

import { statSync } from "node:fs";
import path from "node:path";
import semver from "semver";
import { type Warning, warning } from "../../warnings.ts";
import { type Analysis, analyse } from "./analyse.ts";
import type { Compiled } from "./compile-cache.ts";
import { productionClosure } from "./installed.ts";
import type { NodeAppTree } from "./node-app-tree.ts";
import { installedPackage } from "./package.ts";
import type { Prepared, Sources } from "./prepared.ts";

/** First version that runs TypeScript without a word. */
const STRIPS_TYPES = "22.18.0";

/**
 * @param why nothing is bundled
 * @param known what the program imports, when that has been looked at
 */
export async function prepareUnbundled(
  { entry, target, node, request, reader }: Sources,
  why: string,
  known?: Analysis,
): Promise<Prepared> {
  const { options } = request;
  const { dir, file } = entry;
  const closure = await productionClosure(reader, dir, target);
  // Only for the compile cache here: what esbuild does not understand is Node's to judge.
  const analysis = known ?? (await analyse(reader, dir, file, node).catch(() => undefined));
  const exclude = options.exclude ?? [];
  const warnings: Warning[] = [];
  if (/ts$/.test(file) && node !== undefined && semver.lt(node, STRIPS_TYPES)) {
    const message = `Node ${node} does not run TypeScript as it is; ${STRIPS_TYPES} does`;
    warnings.push(warning("W_NODE_VERSION", message));
  }
  return {
    paths: [...closure.packages, ...closure.links.keys()],
    closure,
    start: file,
    how: `as it is (${why})`,
    explain: [
      `not bundled: ${why}`,
      `${closure.packages.size} packages that production needs; devDependencies are left out`,
    ],
    warnings,
    fill: (image: NodeAppTree) => image.addProject(dir, exclude, request.signal),
    compiled: analysis === undefined ? [] : importedFiles(analysis, file, closure.packages),
  };
}

/** The JavaScript among the files that a program imports, as the compile cache takes it. */
export function importedFiles(
  { files, modules }: Analysis,
  entry: string | undefined,
  packages: ReadonlySet<string>,
): Compiled[] {
  return files
    .flatMap((file): Compiled[] => {
      const owner = installedPackage(file);
      if (owner !== undefined && !packages.has(owner)) return [];
      if (!/\.[cm]?js$|\/[^./]+$/.test(file))
        return [{ place: file, contents: file, role: "imported" }];
      const role = modules.has(file) ? (file === entry ? "module" : "imported") : "script";
      return [{ place: file, contents: file, role }];
    })
    .concat(manifests(files));
}

/** package.json says what a file is, so it must be there when modules are looked for. */
function manifests(files: readonly string[]): Compiled[] {
  const found = new Set<string>();
  for (const file of files) {
    for (let dir = path.dirname(file); dir !== path.dirname(dir); dir = path.dirname(dir)) {
      const name = path.join(dir, "package.json");
      if (found.has(name)) break;
      if (statSync(name, { throwIfNoEntry: false })?.isFile()) found.add(name);
    }
  }
  return [...found].map((place) => ({ place, contents: place, role: "imported" as const }));
}
