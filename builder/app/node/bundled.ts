/** A project bundled by esbuild, with beside it what has to stay files. */
import path from "node:path";
import { type Warning, warning } from "../../warnings.ts";
import { checkAddonFile } from "./addons.ts";
import { type Analysis, analyse, crossings } from "./analyse.ts";
import {
  type BundledFile,
  bundleProgram,
  programFor,
  type Surroundings,
} from "./bundle-javascript.ts";
import type { Compiled } from "./compile-cache.ts";
import { DecoratorMetadata } from "./decorators.ts";
import { addExternal, chooseExternal, type External, explainExternal } from "./external.ts";
import type { NodeAppTree } from "./node-app-tree.ts";
import { installedPackage, type PackageReader } from "./package.ts";
import type { Prepared, Sources } from "./prepared.ts";
import { NodeResolver } from "./resolution.ts";
import { TYPED } from "./resolve-plugin.ts";
import { type Traced, trace } from "./trace.ts";
import { importedFiles, prepareUnbundled } from "./unbundled.ts";

/** One program of the app: the entry, a worker, a child. */
interface Unit {
  source: string;
  /** The name it is started by, absolute; undefined for the entry. */
  name: string | undefined;
  analysis: Analysis;
}

/**
 * @throws E_NODE_BUNDLE, E_NODE_DEPENDENCY
 */
export async function prepareBundled(sources: Sources): Promise<Prepared> {
  const { entry, target, node, request, reader } = sources;
  const { dir, file } = entry;
  const strict = request.options.bundle !== "fast";
  // Its own files are those of a package then, which nothing above tells from others.
  if (installedPackage(file) !== undefined)
    return prepareUnbundled(sources, "it is installed by npm");
  const decorators = new DecoratorMetadata(dir, strict);
  const { units, traced, merged } = await findUnits(sources, decorators);
  const refusal = whyNotBundled(dir, merged, strict);
  if (refusal !== undefined) return prepareUnbundled(sources, refusal, merged);
  const external = await chooseExternal(reader, dir, merged, target, strict);
  for (const owner of traced.packages) {
    await addExternal(reader, external, owner, "the app asks where it lies", target);
  }
  const surroundings: Surroundings = {
    dir,
    node,
    resolver: new NodeResolver(node),
    decorators,
    analysis: merged,
    external,
    located: new Set(ownFiles(merged.located.keys())),
    split: !crossings(merged).some(({ file }) => TYPED.test(file)),
    strict,
  };
  const programs: BundledFile[][] = await Promise.all(
    units.map(async ({ source, name, analysis }) =>
      bundleProgram(await programFor(reader, source, analysis.isModule, name), surroundings),
    ),
  );
  const bundles = programs.flat();
  const addons = ownFiles(merged.files).filter((name) => name.endsWith(".node"));
  for (const addon of addons) await checkAddonFile(addon, dir, target, node);
  const files = new Set([...traced.assets, ...addons, ...(await manifestsOf(reader, units))]);
  const start = bundles[0]?.output ?? file;
  return {
    paths: [
      ...bundles.map(({ output }) => output),
      ...files,
      ...external.packages,
      ...external.links.keys(),
    ],
    closure: external,
    start,
    how: "bundled",
    explain: explain(dir, units, traced, external, merged),
    warnings: [...missingNames(merged), ...droppedTypes(dir, decorators)],
    async fill(image: NodeAppTree): Promise<void> {
      for (const one of bundles) addProgram(image, one);
      for (const name of [...files].sort()) await image.addHostFile(name);
      await image.addIncluded(dir, request.options.include ?? [], request.options.exclude ?? []);
    },
    compiled: [
      ...bundles.map(compiledProgram),
      ...importedFiles(merged, undefined, external.packages).filter(
        ({ place }) =>
          installedPackage(place) !== undefined || path.basename(place) === "package.json",
      ),
    ],
  };
}

/** Why the app stays as it is, or undefined. */
function whyNotBundled(dir: string, analysis: Analysis, strict: boolean): string | undefined {
  const isOwn = ([file]: [string, string]) => installedPackage(file) === undefined;
  const shown = ([file, why]: [string, string]) => `${path.relative(dir, file)}: ${why}`;
  const unseen = [...analysis.dynamic].find(isOwn);
  if (unseen !== undefined) return shown(unseen);
  const crossing = crossings(analysis).find(
    ({ file }) => installedPackage(file) === undefined && !TYPED.test(file),
  );
  if (crossing !== undefined) {
    const { importer, file } = crossing;
    return shown([importer, `it is CommonJS and loads the module ${path.relative(dir, file)}`]);
  }
  // Who changes how modules are loaded sees packages that stay files, and files of the app that do. What
  // is compiled from TypeScript has to be bundled, and is no package that somebody would trace.
  const hook = [...analysis.hooks].find(isOwn) ?? [...analysis.hooks][0];
  const isTyped = analysis.files.some((file) => isOwn([file, ""]) && TYPED.test(file));
  return strict && hook !== undefined && !isTyped ? shown(hook) : undefined;
}

/** Names that nobody found, by who asks for them. */
function missingNames({ missing }: Analysis): Warning[] {
  const byImporter = new Map<string, string[]>();
  for (const [name, importer] of missing) {
    byImporter.set(importer, [...(byImporter.get(importer) ?? []), name]);
  }
  return [...byImporter].map(([importer, names]) => {
    const shown = names.length > 5 ? [...names.slice(0, 5), `${names.length - 5} more`] : names;
    const message = `${importer} may ask for ${shown.join(", ")}: not installed`;
    return warning("W_PACKAGE_MISSING", message);
  });
}

function droppedTypes(dir: string, { dropped }: DecoratorMetadata): Warning[] {
  return [...dropped].map((file) =>
    warning(
      "W_DECORATOR_TYPES",
      `${path.relative(dir, file)}: emitDecoratorMetadata is left out, no compiler is installed that does it`,
    ),
  );
}

function compiledProgram({ output, code, isModule }: BundledFile): Compiled {
  return { place: output, contents: code, role: isModule ? "module" : "script" };
}

function addProgram(image: NodeAppTree, { output, code, map }: BundledFile): void {
  image.addText(output, code, 0o755);
  image.addText(`${output}.map`, map);
}

function ownFiles(files: Iterable<string>): string[] {
  return [...files].filter((file) => installedPackage(file) === undefined);
}

/** The entry and all programs that it and they start, with what all of them import. */
async function findUnits(
  { entry, node, reader }: Sources,
  decorators: DecoratorMetadata,
): Promise<{
  units: Unit[];
  traced: Traced;
  merged: Analysis;
}> {
  const { dir } = entry;
  const units: Unit[] = [];
  const traced: Traced = { assets: new Set(), programs: new Map(), packages: new Set() };
  const pending: [string, string | undefined][] = [[entry.file, undefined]];
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const [source, name] = next;
    if (units.some((unit) => unit.source === source)) continue;
    const analysis = await analyse(reader, dir, source, node, decorators);
    units.push({ source, name, analysis });
    const located = ownFiles(analysis.located.keys());
    const found = await trace(dir, located, new Set(analysis.files));
    for (const asset of found.assets) traced.assets.add(asset);
    for (const owner of found.packages) traced.packages.add(owner);
    for (const [asked, program] of found.programs) {
      traced.programs.set(asked, program);
      pending.push([program, asked]);
    }
  }
  return { units, traced, merged: merge(units) };
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

/** package.json of every program: it says what a file is, and programs read their version in it. */
async function manifestsOf(reader: PackageReader, units: readonly Unit[]): Promise<string[]> {
  const dirs = await Promise.all(units.map(({ source }) => reader.above(path.dirname(source))));
  return [...new Set(dirs)].flatMap((dir) =>
    dir === undefined ? [] : [path.join(dir, "package.json")],
  );
}

function explain(
  dir: string,
  units: readonly Unit[],
  traced: Traced,
  external: External,
  { files }: Analysis,
): string[] {
  const bundled = files.filter((file) => {
    const owner = installedPackage(file);
    return owner === undefined || !external.packages.has(owner);
  });
  const shown = (file: string) => path.relative(dir, file);
  return [
    `bundled: ${bundled.length} files`,
    ...units.slice(1).map(({ source }) => `program of its own: ${shown(source)}`),
    ...[...traced.assets].sort().map((file) => `asset: ${shown(file)}`),
    ...explainExternal(external),
  ];
}
