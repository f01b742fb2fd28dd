/** Programs of installed packages, by the names that npm gives them in node_modules/.bin. */
import { readFileSync, realpathSync } from "node:fs";
import path from "node:path";
import { errnoCode } from "../../errors.ts";
import { type Closure, findPackage } from "./installed.ts";
import { installedPackage, type PackageReader } from "./package.ts";

export interface InstalledProgram {
  /** Absolute path in a node_modules/.bin, whether it exists or not. */
  link: string;
  /** Absolute path of the script, by way of the package beside .bin, which may be a link itself. */
  target: string;
  /** The same, links followed. */
  file: string;
}

/**
 * What npm would put into each node_modules/.bin for these packages. Others make scripts for sh
 * there, which look for Node in their own way; links do for all.
 *
 * @returns sorted by link, one for each
 * @throws E_NODE_PACKAGE
 */
export async function installedPrograms(
  reader: PackageReader,
  { packages, places: ways }: Closure,
): Promise<InstalledProgram[]> {
  const places = [...new Set([...packages, ...ways])].map(realPlace).sort();
  const found = new Map<string, InstalledProgram>();
  for (const [place, dir] of places) {
    if (installedPackage(place) !== place) continue; // Not below a node_modules.
    const json = (await reader.read(dir)) ?? {};
    const bin = typeof json.bin === "string" ? { [json.name ?? ""]: json.bin } : (json.bin ?? {});
    for (const [name, file] of Object.entries(bin)) {
      const short = path.basename(name);
      if (["", ".", ".."].includes(short) || typeof file !== "string") continue;
      const link = path.join(modulesOf(place), ".bin", short);
      if (found.has(link) && programOwner(link) !== dir) continue;
      const below = path.join("/", file);
      found.set(link, { link, target: path.join(place, below), file: path.join(dir, below) });
    }
  }
  return [...found.values()].sort((a, b) => (a.link < b.link ? -1 : 1));
}

/** A folder in node_modules, which may be a link in it, and where that leads. */
function realPlace(place: string): readonly [string, string] {
  const modules = modulesOf(place);
  const isThere = modules.endsWith("/node_modules");
  const name = path.relative(modules, place);
  return [isThere ? path.join(realpathSync(modules), name) : place, realpathSync(place)];
}

/** ".../node_modules/@scope/name" → ".../node_modules" */
function modulesOf(place: string): string {
  return place.slice(0, place.lastIndexOf("/node_modules/") + "/node_modules".length);
}

/**
 * The package whose program a file of node_modules/.bin starts: the folder, links followed.
 * Undefined for other files, and for what leads to no installed package.
 */
export function programOwner(file: string): string | undefined {
  const dir = path.dirname(file);
  if (!dir.endsWith("/node_modules/.bin")) return undefined;
  try {
    const real = realpathSync(file);
    if (path.dirname(real) !== realpathSync(dir)) return installedPackage(real);
    // A script for sh, as pnpm and yarn make them: exec node "$basedir/../NAME/cli.js".
    const target = /"\$basedir\/([^"]+\.[cm]?js)"/.exec(readFileSync(real, "utf8"))?.[1];
    if (target !== undefined) return installedPackage(realpathSync(path.resolve(dir, target)));
  } catch (cause) {
    if (errnoCode(cause) === undefined) throw cause;
  }
  return findPackage(path.dirname(dir), path.basename(file))?.dir;
}
