/** Packages as they are installed, with npm's nested folders and pnpm's links. */
import { realpathSync } from "node:fs";
import path from "node:path";
import { statusOf } from "../../host/status.ts";
import * as errors from "./node-errors.ts";
import { installedPackage, type PackageJson, type PackageReader } from "./package.ts";
import { packageFits, type Target } from "./target.ts";

/** Installed packages that belong together. */
export interface Closure {
  /** Folders, links followed. */
  packages: Set<string>;
  /** Paths in node_modules by which they are found, some of which are links or lead through links. */
  places: Set<string>;
  /** Those that somebody cannot do without. */
  required: Set<string>;
}

export function emptyClosure(): Closure {
  return { packages: new Set(), places: new Set(), required: new Set() };
}

interface Found {
  /** In a node_modules, perhaps a link. */
  place: string;
  /** Links followed. */
  dir: string;
}

/** Where Node finds a package for a file in `from`, which is a real path. */
export function findPackage(from: string, name: string): Found | undefined {
  for (let at = from; ; at = path.dirname(at)) {
    if (path.basename(at) !== "node_modules") {
      const place = path.join(at, "node_modules", name);
      if (statusOf(place)?.isDirectory()) {
        return { place, dir: realpathSync.native(place) };
      }
    }
    if (path.dirname(at) === at) return undefined;
  }
}

/** Dependencies that a package is installed with, and whether it can do without one. */
export function wantedNames(json: PackageJson): Map<string, { optional: boolean }> {
  const wanted = new Map<string, { optional: boolean }>();
  for (const name of Object.keys(json.peerDependencies ?? {})) {
    wanted.set(name, { optional: json.peerDependenciesMeta?.[name]?.optional === true });
  }
  for (const name of Object.keys(json.dependencies ?? {})) wanted.set(name, { optional: false });
  // npm lists optional ones among the dependencies too.
  for (const name of Object.keys(json.optionalDependencies ?? {})) {
    wanted.set(name, { optional: true });
  }
  return wanted;
}

/**
 * Adds a package and all it depends on.
 *
 * @param dir of the package, links followed
 * @throws E_NODE_PACKAGE
 */
export async function addClosure(
  reader: PackageReader,
  closure: Closure,
  dir: string,
  target: Target,
): Promise<void> {
  const pending = [dir];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (closure.packages.has(at)) continue;
    closure.packages.add(at);
    const json = (await reader.read(at)) ?? {};
    for (const [name, { optional }] of wantedNames(json)) {
      const next = await addDependency(reader, closure, at, name, target);
      if (next === undefined) continue;
      if (!optional) closure.required.add(next);
      pending.push(next);
    }
  }
}

/** Notes where a dependency is found. @returns its folder, when it is installed and fits */
async function addDependency(
  reader: PackageReader,
  closure: Closure,
  from: string,
  name: string,
  target: Target,
): Promise<string | undefined> {
  const found = findPackage(from, name);
  if (found === undefined) return undefined;
  const json = await reader.read(found.dir);
  if (json !== undefined && !packageFits(json, target)) return undefined;
  closure.places.add(found.place);
  return found.dir;
}

/**
 * All that an app needs in production: its dependencies without devDependencies.
 *
 * @param dir of the app; without a package.json of its own it has the dependencies of the next one above
 * @param others folders of a repository's other packages that have sources of the app
 * @throws E_NODE_DEPENDENCY when one that the app names itself is not installed
 */
export async function productionClosure(
  reader: PackageReader,
  dir: string,
  others: Iterable<string>,
  target: Target,
): Promise<Closure> {
  const closure = emptyClosure();
  const own = await reader.read(dir);
  const above = own === undefined ? await reader.above(dir) : undefined;
  const json = own ?? (above === undefined ? {} : ((await reader.read(above)) ?? {}));
  const isOwn = own !== undefined;
  await addWanted(reader, closure, { dir, json, isOwn }, target);
  for (const other of others) {
    const wanting = { dir: other, json: (await reader.read(other)) ?? {}, isOwn: false };
    if (other !== dir) await addWanted(reader, closure, wanting, target);
  }
  return closure;
}

/** Adds all that a package.json lists. @throws E_NODE_DEPENDENCY for what is not there, when it is the app's own */
async function addWanted(
  reader: PackageReader,
  closure: Closure,
  { dir, json, isOwn }: { dir: string; json: PackageJson; isOwn: boolean },
  target: Target,
): Promise<void> {
  for (const [name, { optional }] of wantedNames(json)) {
    const found = findPackage(dir, name);
    if (found === undefined) {
      if (optional || !isOwn) continue;
      throw errors.dependencyMissing(dir, name, json.name ?? "the app");
    }
    const next = await addDependency(reader, closure, dir, name, target);
    if (next === undefined) continue;
    if (!optional) closure.required.add(next);
    await addClosure(reader, closure, next, target);
  }
}

/**
 * Packages of a repository that sources of an app are in: its own, and workspaces beside it. What is loaded
 * by a name that is only known at run time is among what these list.
 *
 * @param files sources, those of installed packages too
 * @returns folders
 */
export async function packagesOfSources(
  reader: PackageReader,
  files: Iterable<string>,
): Promise<Set<string>> {
  const found = new Set<string>();
  for (const folder of new Set([...files].map((file) => path.dirname(file)))) {
    if (installedPackage(`${folder}/`) !== undefined) continue;
    const above = await reader.above(folder);
    if (above !== undefined) found.add(above);
  }
  return found;
}
