/** A project bundled by esbuild, with beside it what has to stay files. */
import path from "node:path";
import { warning } from "../../warnings.ts";
import { checkAddonFile } from "./addons.ts";
import { type Analysis, analyse } from "./analyse.ts";
import { type BundledProgram, bundleProgram, programFor } from "./bundle-javascript.ts";
import type { Compiled } from "./compile-cache.ts";
import { addExternal, chooseExternal, type External, explainExternal } from "./external.ts";
import type { NodeAppTree } from "./node-app-tree.ts";
import { installedPackage, type PackageReader } from "./package.ts";
import type { Prepared, Sources } from "./prepared.ts";
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
  // Its own files are those of a package then, which nothing above tells from others.
  if (installedPackage(file) !== undefined)
    return prepareUnbundled(sources, "it is installed by npm");
  const { units, traced, merged } = await findUnits(sources);
  const unseen = [...merged.dynamic].find(([name]) => installedPackage(name) === undefined);
  if (unseen !== undefined) {
    const [name, why] = unseen;
    return prepareUnbundled(sources, `${path.relative(dir, name)}: ${why}`, merged);
  }
  const external = await chooseExternal(reader, dir, merged, target);
  for (const owner of traced.packages) {
    await addExternal(reader, external, owner, "the app asks where it lies", target);
  }
  const located = ownFiles(merged.located.keys());
  const programs = await Promise.all(
    units.map(async ({ source, name, analysis }) => {
      const program = await programFor(reader, source, analysis.isModule, name);
      const unresolved = [...merged.missing.keys()];
      return {
        ...program,
        ...(await bundleProgram(program, {
          dir,
          node,
          external,
          located: new Set(located),
          unresolved,
        })),
      };
    }),
  );
  const addons = ownFiles(merged.files).filter((name) => name.endsWith(".node"));
  for (const addon of addons) await checkAddonFile(addon, dir, target, node);
  const files = new Set([...traced.assets, ...addons, ...(await manifestsOf(reader, units))]);
  const start = programs[0]?.output ?? file;
  return {
    paths: [
      ...programs.map(({ output }) => output),
      ...files,
      ...external.packages,
      ...external.links.keys(),
    ],
    closure: external,
    start,
    how: "bundled",
    explain: explain(dir, units, traced, external, merged),
    warnings: [...merged.missing].map(([name, importer]) =>
      warning("W_PACKAGE_MISSING", `${importer} may ask for ${name}, which is not installed`),
    ),
    async fill(image: NodeAppTree): Promise<void> {
      for (const program of programs) addProgram(image, program);
      for (const name of [...files].sort()) await image.addHostFile(name);
      await image.addIncluded(dir, request.options.include ?? [], request.options.exclude ?? []);
    },
    compiled: [
      ...programs.map(compiledProgram),
      ...importedFiles(merged, undefined, external.packages).filter(
        ({ place }) =>
          installedPackage(place) !== undefined || path.basename(place) === "package.json",
      ),
    ],
  };
}

function compiledProgram({ output, code, isModule }: BundledProgram): Compiled {
  return { place: output, contents: code, role: isModule ? "module" : "script" };
}

function addProgram(image: NodeAppTree, { output, code, map }: BundledProgram): void {
  image.addText(output, code, 0o755);
  image.addText(`${output}.map`, map);
}

function ownFiles(files: Iterable<string>): string[] {
  return [...files].filter((file) => installedPackage(file) === undefined);
}

/** The entry and all programs that it and they start, with what all of them import. */
async function findUnits({ entry, node, reader }: Sources): Promise<{
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
    const analysis = await analyse(reader, dir, source, node);
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
  const maps = (key: "dynamic" | "located" | "missing") =>
    new Map(all.flatMap((analysis) => [...analysis[key]]));
  return {
    files: [...new Set(all.flatMap(({ files }) => files))],
    modules: new Set(all.flatMap(({ modules }) => [...modules])),
    isModule: all[0]?.isModule ?? false,
    dynamic: maps("dynamic"),
    located: maps("located"),
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
