/** A project as it is: its own files, and the packages that it needs in production. */

import path from "node:path";
import lt from "semver/functions/lt.js";
import { statusOf } from "../../host/status.ts";
import { byteString, displayPath } from "../../tree/path.ts";
import { type Warning, warning } from "../../warnings.ts";
import type { Analysis } from "./analyse.ts";
import type { Compiled } from "./compile-cache.ts";
import { addImported, notePlace } from "./external.ts";
import { addClosure, type Closure, packagesOfSources, productionClosure } from "./installed.ts";
import type { NodeAppTree } from "./node-app-tree.ts";
import { installedPackage, type PackageReader, shownPackage } from "./package.ts";
import type { Prepared, Sources } from "./prepared.ts";
import type { Target } from "./target.ts";
import type { Traced } from "./trace.ts";
import { findUnits } from "./units.ts";
import { addUnlisted } from "./unlisted.ts";

/** First version that runs TypeScript without a word. */
const STRIPS_TYPES = "22.18.0";

/** What is known of a program before it is decided that nothing is bundled. */
interface Known {
  analysis: Analysis;
  traced: Traced;
}

const nothing = { analysis: undefined, traced: undefined };

/**
 * @param why nothing is bundled
 * @param known what the program imports, when that has been looked at
 */
export async function prepareUnbundled(
  sources: Sources,
  why: string,
  known?: Known,
): Promise<Prepared> {
  const { entry, target, node, request, reader } = sources;
  const { options } = request;
  const { dir, file } = entry;
  // What esbuild does not understand is Node's to judge.
  const { analysis, traced } = known ?? (await findUnits(sources).catch(() => nothing));
  const others = await packagesOfSources(reader, [file, ...(analysis?.files ?? [])]);
  const closure = await productionClosure(reader, dir, others, target);
  const listed = new Set(closure.packages);
  const exclude = options.exclude ?? [];
  if (analysis !== undefined) await addSeen(reader, closure, analysis, target);
  for (const owner of traced?.packages.keys() ?? []) {
    await addClosure(reader, closure, owner, target);
  }
  for (const place of traced?.places ?? []) closure.places.add(place);
  await addUnlisted(reader, closure, { dir, exclude, target });
  const outside = await filesOutside(reader, dir, closure, analysis, traced);
  const warnings: Warning[] = [];
  if (/ts$/.test(file) && node !== undefined && lt(node, STRIPS_TYPES)) {
    const message = `Node ${node} does not run TypeScript as it is; ${STRIPS_TYPES} does`;
    warnings.push(warning("W_NODE_VERSION", message));
  }
  const unlisted = [...closure.packages].filter((one) => !listed.has(one)).map(shownPackage);
  return {
    closure,
    start: file,
    how: `as it is (${why})`,
    explain: [
      `not bundled: ${why}`,
      `${listed.size} packages that production needs; devDependencies are left out`,
      ...(unlisted.length > 0
        ? [`packages that are used without being listed: ${unlisted.sort().join(", ")}`]
        : []),
      ...outside.map((one) => `from outside of the folder: ${displayPath(one)}`),
    ],
    warnings,
    own: (analysis?.files ?? []).filter((one) => installedPackage(one) === undefined),
    async fill(image: NodeAppTree): Promise<string[]> {
      await image.addProject();
      for (const one of outside) await image.addHostPath(one);
      return image.addIncluded(options.include ?? []);
    },
    compiled: analysis === undefined ? [] : importedFiles(analysis, file, closure.packages),
  };
}

/** Adds the packages that files of the app import, whatever package.json says of them. */
async function addSeen(
  reader: PackageReader,
  closure: Closure,
  analysis: Analysis,
  target: Target,
): Promise<void> {
  for (const [importer, imported] of analysis.imports) {
    if (installedPackage(importer) !== undefined) continue;
    for (const { name, file } of imported) {
      const owner = installedPackage(file);
      if (owner === undefined) continue;
      notePlace(closure, importer, name, owner);
      await addClosure(reader, closure, owner, target);
    }
  }
  await addImported(reader, closure, analysis, target);
}

/**
 * What the app uses of the folders around its own: sources and assets, and the package.json that says
 * what they are.
 *
 * @returns byte strings
 */
async function filesOutside(
  reader: PackageReader,
  dir: string,
  { packages }: Closure,
  analysis: Analysis | undefined,
  traced: Traced | undefined,
): Promise<string[]> {
  const inside = [dir, ...packages].map(byteString);
  const isOutside = (file: string) => !inside.some((one) => `${file}/`.startsWith(`${one}/`));
  const sources = (analysis?.files ?? []).filter(
    (file) => installedPackage(file) === undefined && isOutside(byteString(file)),
  );
  const folders = new Set([dir, ...sources.map((file) => path.dirname(file))]);
  const manifests: string[] = [];
  for (const folder of folders) {
    const above = await reader.above(folder);
    if (above !== undefined) manifests.push(path.join(above, "package.json"));
  }
  const found = [...sources, ...manifests].map(byteString);
  return [...new Set([...found, ...(traced?.assets ?? [])])].filter(isOutside).sort();
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
      if (statusOf(name)?.isFile()) found.add(name);
    }
  }
  return [...found].map((place) => ({ place, contents: place, role: "imported" as const }));
}
