/** A project bundled by esbuild, with beside it what has to stay files. */
import path from "node:path";
import { byteString, displayPath } from "../../tree/path.ts";
import { type Warning, warning } from "../../warnings.ts";
import { checkAddonFile } from "./addons.ts";
import { type Analysis, crossings } from "./analyse.ts";
import {
  type BundledFile,
  bundleProgram,
  programFor,
  type Surroundings,
} from "./bundle-javascript.ts";
import { differencesFromNode } from "./compare-resolution.ts";
import type { Compiled } from "./compile-cache.ts";
import { DecoratorMetadata } from "./decorators.ts";
import { Excluded } from "./excluded.ts";
import {
  addExternal,
  addImported,
  chooseExternal,
  type External,
  explainExternal,
} from "./external.ts";
import type { NodeAppTree } from "./node-app-tree.ts";
import { installedPackage, type PackageReader, packageName } from "./package.ts";
import type { Prepared, Sources } from "./prepared.ts";
import { NodeResolver } from "./resolution.ts";
import { TYPED } from "./resolve-plugin.ts";
import { namesOtherMachine, type Target } from "./target.ts";
import type { Traced } from "./trace.ts";
import { importedFiles, prepareUnbundled } from "./unbundled.ts";
import { findUnits, type Unit } from "./units.ts";

/**
 * @throws E_NODE_BUNDLE, E_NODE_DEPENDENCY
 */
export async function prepareBundled(sources: Sources): Promise<Prepared> {
  const { entry, request } = sources;
  const { dir, file } = entry;
  const strict = request.options.bundle !== "fast";
  // Its own files are those of a package then, which nothing above tells from others.
  if (installedPackage(file) !== undefined)
    return prepareUnbundled(sources, "it is installed by npm");
  const decorators = new DecoratorMetadata(dir, strict);
  const found: Found = { ...(await findUnits(sources, decorators)), decorators, strict };
  if (!strict) return bundle(sources, found);
  // Node seldom finds anything else than the bundler was told, so nobody waits for its answer.
  const [attempt, differences] = await Promise.all([
    bundle(sources, found).catch((failure: unknown) => ({ failure })),
    compareWithNode(sources, found.analysis),
  ]);
  if (differences.size > 0) {
    for (const [differing, why] of differences) found.analysis.dynamic.set(differing, why);
    return bundle(sources, found);
  }
  if ("failure" in attempt) throw attempt.failure;
  return attempt;
}

/** The programs of an app, looked at. */
interface Found {
  units: Unit[];
  traced: Traced;
  analysis: Analysis;
  decorators: DecoratorMetadata;
  strict: boolean;
}

async function bundle(sources: Sources, found: Found): Promise<Prepared> {
  const { entry, target, node, request, reader } = sources;
  const { dir, file } = entry;
  const { units, traced, analysis: merged, decorators, strict } = found;
  const refusal = whyNotBundled(dir, merged, strict) ?? traced.unseen;
  if (refusal !== undefined) return prepareUnbundled(sources, refusal, found);
  const external = await chooseExternal(reader, dir, merged, target, strict);
  for (const [owner, why] of traced.packages) {
    await addExternal(reader, external, owner, why, target);
  }
  await addImported(reader, external, merged, target);
  for (const place of traced.places) external.places.add(place);
  if (external.back !== undefined) return prepareUnbundled(sources, external.back, found);
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
  const excluded = new Excluded(dir, request.options.exclude ?? []);
  for (const addon of addons) await checkAddonFile(addon, dir, { target, node, excluded });
  const beside = [...addons, ...(await manifestsOf(reader, units))].map(byteString);
  const files = new Set([...traced.assets, ...beside]);
  const start = bundles[0]?.output ?? file;
  return {
    closure: external,
    start,
    how: "bundled",
    explain: explain(dir, units, traced, external, merged),
    warnings: [...missingNames(merged, target), ...droppedTypes(dir, decorators)],
    own: ownFiles(merged.files),
    async fill(image: NodeAppTree): Promise<string[]> {
      for (const one of bundles) addProgram(image, one);
      for (const name of [...files].sort()) await image.addHostPath(name);
      return image.addIncluded(request.options.include ?? []);
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

/** What the packed Node finds otherwise stays as it is. It was told to the bundler, so this is rare. */
async function compareWithNode(
  { runs, request }: Sources,
  analysis: Analysis,
): Promise<Map<string, string>> {
  const interpreter = await runs;
  if (interpreter === undefined) return new Map();
  try {
    return await differencesFromNode(interpreter, request.workspace, analysis);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause;
    request.report(`names are not compared with the packed Node: ${reason}`);
    return new Map();
  }
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

/** Names that nobody found and that the target could have a use for, by who asks for them. */
function missingNames({ missing }: Analysis, target: Target): Warning[] {
  const byImporter = new Map<string, string[]>();
  for (const [name, importer] of missing) {
    if (namesOtherMachine(packageName(name), target)) continue;
    byImporter.set(importer, [...(byImporter.get(importer) ?? []), name]);
  }
  return [...byImporter].map(([importer, names]) => {
    const shown = names.length > 5 ? [...names.slice(0, 5), `${names.length - 5} more`] : names;
    const message = `${importer} may ask for ${shown.join(", ")}: not installed`;
    return warning("W_PACKAGE_MISSING", message);
  });
}

function droppedTypes(dir: string, { dropped }: DecoratorMetadata): Warning[] {
  return [...dropped].map(([file, why]) =>
    warning(
      "W_DECORATOR_TYPES",
      `${path.relative(dir, file)}: emitDecoratorMetadata is left out, ${why}`,
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
    ...[...traced.assets].sort().map((file) => `asset: ${shown(displayPath(file))}`),
    ...explainExternal(external),
  ];
}
