/** Which installed packages stay real files beside the bundled program, and why. */
import path from "node:path";
import { addonReason } from "./addons.ts";
import { type Analysis, crossings } from "./analyse.ts";
import {
  addClosure,
  type Closure,
  emptyClosure,
  findPackage,
  packagesOfSources,
} from "./installed.ts";
import { installedPackage, type PackageReader, packageName, shownPackage } from "./package.ts";
import type { Target } from "./target.ts";

export interface External extends Closure {
  /** By folder of a package: why it is not bundled. */
  reasons: Map<string, string>;
  /** Why nothing can be bundled: such a package imports what is the app's own. */
  back: string | undefined;
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
  const external: External = { ...emptyClosure(), reasons: new Map(), back: undefined };
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
  if (external.reasons.size > 0) {
    const owners = await packagesOfSources(reader, analysis.files);
    await addUnseen(reader, owners.add(dir), packages, external);
  }
  for (const owner of external.reasons.keys()) {
    external.required.add(owner);
    await addClosure(reader, external, owner, target);
  }
  await addImported(reader, external, analysis, target);
  return external;
}

/**
 * Adds what packages that stay import without listing it: what was hoisted, and what was generated.
 */
export async function addImported(
  reader: PackageReader,
  external: Closure & { back?: string | undefined },
  { imports }: Analysis,
  target: Target,
): Promise<void> {
  for (let before = -1; external.packages.size !== before; ) {
    before = external.packages.size;
    for (const [importer, imported] of imports) {
      const owner = installedPackage(importer);
      if (owner === undefined || !external.packages.has(owner)) continue;
      for (const { name, file } of imported) {
        const other = installedPackage(file);
        if (other === owner) continue;
        if (other === undefined) {
          external.back ??= `${shownPackage(owner)} has to stay as it is, and imports ${file}`;
          continue;
        }
        notePlace(external, importer, name, other);
        await addClosure(reader, external, other, target);
      }
    }
  }
}

/** Notes the path in node_modules by which `name` leads from a file to a package. */
export function notePlace(
  { places }: Pick<Closure, "places">,
  importer: string,
  name: string,
  owner: string,
): void {
  if (/^\.{0,2}\//.test(name) || name.startsWith("#")) return;
  const found = findPackage(path.dirname(importer), packageName(name));
  if (found?.dir === owner) places.add(found.place);
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
  owners: Iterable<string>,
  seen: Set<string>,
  external: External,
): Promise<void> {
  for (const owner of owners) {
    const json = (await reader.read(owner)) ?? {};
    for (const name of Object.keys(json.dependencies ?? {})) {
      if (name.startsWith("@types/")) continue;
      const found = findPackage(owner, name);
      if (found === undefined || seen.has(found.dir)) continue;
      external.reasons.set(
        found.dir,
        "nothing imports it by name, so it may be loaded at run time",
      );
    }
  }
}

/**
 * What a bundle in `outDir` has to ask Node for to get the file `resolved` of an external package:
 * the name as it is, when Node finds the same package from there, which is noted, else the file itself.
 */
export function externalSpecifier(
  outDir: string,
  specifier: string,
  resolved: string,
  { places }: Pick<Closure, "places">,
): string {
  const owner = installedPackage(resolved);
  const found = findPackage(outDir, packageName(specifier));
  if (owner !== undefined && found?.dir === owner) {
    places.add(found.place);
    return specifier;
  }
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
