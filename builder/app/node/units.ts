/** The programs that an app consists of, and what they load. */
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import path from "node:path";
import { requireSettingsFiles } from "../../host/settings-files.ts";
import { type Analysis, analyse } from "./analyse.ts";
import type { DecoratorMetadata } from "./decorators.ts";
import { findPackage } from "./installed.ts";
import { installedPackage, packageName } from "./package.ts";
import type { Sources } from "./prepared.ts";
import { emptyTraced, type Traced, trace } from "./trace.ts";

/** One program of the app: the entry, a worker, a child. */
export interface Unit {
  source: string;
  /** The name it is started by, absolute; undefined for the entry. */
  name: string | undefined;
  analysis: Analysis;
}

/**
 * The entry and all programs that it and they start, with what all of them import and open.
 *
 * @throws E_NODE_BUNDLE, E_NODE_DEPENDENCY
 */
export async function findUnits(
  { entry, node, reader }: Sources,
  decorators?: DecoratorMetadata,
): Promise<{
  units: Unit[];
  traced: Traced;
  analysis: Analysis;
}> {
  const { dir } = entry;
  requireSettingsFiles(dir);
  const units: Unit[] = [];
  const traced = emptyTraced();
  const pending: [string, string | undefined][] = [[entry.file, undefined]];
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const [source, name] = next;
    if (units.some((unit) => unit.source === source)) continue;
    const analysis = await analyse(reader, dir, source, node, decorators);
    units.push({ source, name, analysis });
    const found = await trace(dir, askingFiles(analysis), new Set(analysis.files));
    addTraced(traced, found);
    for (const [asked, program] of found.programs) {
      traced.programs.set(asked, program);
      pending.push([program, asked]);
    }
  }
  return { units, traced, analysis: merge(units) };
}

/** Own files that ask for places, and those of packages that may load others by a `require` of their own. */
function askingFiles(analysis: Analysis): string[] {
  return [...analysis.located.keys()].filter(
    (file) => installedPackage(file) === undefined || mayLoadOthers(file, analysis),
  );
}

/** Whether some text of the file names an installed package that it does not import anyway. */
function mayLoadOthers(file: string, { imports }: Analysis): boolean {
  const text = readFileSync(file, "utf8");
  if (!text.includes("createRequire")) return false;
  const known = new Set(imports.get(file)?.map(({ name }) => packageName(name)));
  return [...text.matchAll(/["'`](@?[\w~][^"'`\s]*)/g)].some(([, literal = ""]) => {
    const name = packageName(literal);
    if (known.has(name) || isBuiltin(name)) return false;
    const found = findPackage(path.dirname(file), name);
    return found !== undefined && found.dir !== installedPackage(file);
  });
}

function addTraced(to: Traced, { assets, packages, places, unseen }: Traced): void {
  for (const asset of assets) to.assets.add(asset);
  for (const [owner, why] of packages) to.packages.set(owner, to.packages.get(owner) ?? why);
  for (const place of places) to.places.add(place);
  to.unseen ??= unseen;
}

function merge(units: readonly Unit[]): Analysis {
  const all = units.map(({ analysis }) => analysis);
  const maps = (key: "dynamic" | "located" | "hooks" | "missing") =>
    new Map(all.flatMap((analysis) => [...analysis[key]]));
  const sets = (key: "modules" | "unmarked" | "cacheReaders") =>
    new Set(all.flatMap((analysis) => [...analysis[key]]));
  return {
    files: [...new Set(all.flatMap(({ files }) => files))],
    imports: new Map(all.flatMap(({ imports }) => [...imports])),
    modules: sets("modules"),
    unmarked: sets("unmarked"),
    cacheReaders: sets("cacheReaders"),
    isModule: all[0]?.isModule ?? false,
    dynamic: maps("dynamic"),
    located: maps("located"),
    hooks: maps("hooks"),
    missing: maps("missing"),
  };
}
