/** Which installed packages stay real files beside the bundled program, and why. */
import path from "node:path";
import { addonReason } from "./addons.ts";
import { type Analysis, crossings } from "./analyse.ts";
import { addClosure, type Closure, emptyClosure, findPackage } from "./installed.ts";
import { installedPackage, type PackageReader, packageName } from "./package.ts";
import type { Target } from "./target.ts";

export interface External extends Closure {
  /** By folder of a package: why it is not bundled. */
  reasons: Map<string, string>;
}

/**
 * Decides for whole packages: one that stays takes its dependencies along, for everybody. Otherwise
 * a module would exist twice, in the bundle and on disk, with two states.
 *
 * @param dir of the project
 * @param strict whether who changes how modules are loaded shall see every package
 */
export async function chooseExternal(
  reader: PackageReader,
  dir: string,
  analysis: Analysis,
  target: Target,
  strict: boolean,
): Promise<External> {
  const external: External = { ...emptyClosure(), reasons: new Map() };
  const packages = new Set<string>();
  for (const file of analysis.files) {
    const owner = installedPackage(file);
    if (owner === undefined) continue;
    packages.add(owner);
    const reason = analysis.dynamic.get(file) ?? analysis.located.get(file);
    if (reason !== undefined && !external.reasons.has(owner)) external.reasons.set(owner, reason);
  }
  for (const { importer, file } of crossings(analysis)) {
    const owner = installedPackage(file);
    if (owner === undefined || external.reasons.has(owner)) continue;
    const by = shownPackage(installedPackage(importer) ?? importer);
    external.reasons.set(owner, `it is a module, and ${by} is CommonJS that loads it`);
  }
  if (strict && analysis.hooks.size > 0) {
    const [[file, why] = ["", ""]] = analysis.hooks;
    for (const owner of packages) {
      external.reasons.set(
        owner,
        `${shownPackage(installedPackage(file) ?? file)} sees it load (${why})`,
      );
    }
  }
  for (const owner of packages) {
    const reason = await addonReason(reader, owner);
    if (reason !== undefined) external.reasons.set(owner, reason);
  }
  if (external.reasons.size > 0) await addUnseen(reader, dir, packages, external);
  for (const owner of external.reasons.keys()) {
    external.required.add(owner);
    await addClosure(reader, external, owner, target);
  }
  return external;
}

/**
 * Adds a package with its dependencies.
 *
 * @param owner folder of the package, links followed
 */
export async function addExternal(
  reader: PackageReader,
  external: External,
  owner: string,
  reason: string,
  target: Target,
): Promise<void> {
  if (!external.packages.has(owner)) external.reasons.set(owner, reason);
  await addClosure(reader, external, owner, target);
}

/**
 * Dependencies that the app names and nobody imports by name may be loaded by a package that stays:
 * view engines, database drivers, log transports. Types and the like have nothing to load.
 */
async function addUnseen(
  reader: PackageReader,
  dir: string,
  seen: Set<string>,
  external: External,
): Promise<void> {
  const json = (await reader.read(dir)) ?? {};
  for (const name of Object.keys(json.dependencies ?? {})) {
    if (name.startsWith("@types/")) continue;
    const found = findPackage(dir, name);
    if (found === undefined || seen.has(found.dir)) continue;
    external.reasons.set(found.dir, "nothing imports it by name, so it may be loaded at run time");
  }
}

/**
 * What a bundle in `outDir` has to ask Node for to get the file `resolved` of an external package:
 * the name as it is, when Node finds the same package from there, else the file itself.
 */
export function externalSpecifier(outDir: string, specifier: string, resolved: string): string {
  const owner = installedPackage(resolved);
  const found = findPackage(outDir, packageName(specifier));
  if (owner !== undefined && found?.dir === owner) return specifier;
  const relative = path.relative(outDir, resolved);
  return relative.startsWith("../") ? relative : `./${relative}`;
}

/** For --explain: packages by reason, one line each. */
export function explainExternal({ reasons, packages }: External): string[] {
  const lines = [...reasons].map(([dir, why]) => `real files: ${shownPackage(dir)}, ${why}`);
  const rest = [...packages].filter((dir) => !reasons.has(dir)).map(shownPackage);
  if (rest.length > 0) lines.push(`real files: ${rest.sort().join(", ")}, which those depend on`);
  return lines.sort();
}

/** The name under which a folder of node_modules is imported; a linked workspace has its own. */
function shownPackage(dir: string): string {
  const at = dir.lastIndexOf("/node_modules/");
  return at < 0 ? path.basename(dir) : dir.slice(at + "/node_modules/".length);
}
