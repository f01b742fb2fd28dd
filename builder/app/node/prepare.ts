/** Packs a project for Node with its interpreter, its packages, and its own code bundled. */
import path from "node:path";
import { cacheDirectory, hostArchitecture } from "../../host/paths.ts";
import { asksForLibraries, linkLibraries } from "../../libraries/add-libraries.ts";
import { BUNDLE_DIR } from "../../manifest/manifest.ts";
import { editTree } from "../../tree/edits.ts";
import { byteString } from "../../tree/path.ts";
import { type Warning, warning } from "../../warnings.ts";
import type { App, AppRequest } from "../kind.ts";
import { type Addons, inspectAddons } from "./addons.ts";
import { prepareBundled } from "./bundled.ts";
import { DEFAULT_NODE } from "./check-interpreter.ts";
import { cacheRefusal, isWorthCompiling, makeCompileCache } from "./compile-cache.ts";
import { currentFolderWarnings } from "./current-folder.ts";
import { Excluded } from "./excluded.ts";
import { ForeignFiles } from "./foreign.ts";
import { installedPrograms } from "./installed-programs.ts";
import { exactVersion, findInterpreter, type Interpreter } from "./interpreter.ts";
import { knownStart } from "./known-start.ts";
import { describeLinks } from "./link-report.ts";
import { NODE_PATH_DIR, NodeAppTree, PROGRAM_PLACE, START_SCRIPT } from "./node-app-tree.ts";
import {
  addFlagFiles,
  nodeCommand,
  nodeWords,
  OLDEST_HOST,
  startWithHost,
} from "./node-command.ts";
import { findEntry, type NodeEntry } from "./node-entry.ts";
import { PackageReader } from "./package.ts";
import { missingUnderPlugAndPlay, refusePlugAndPlay } from "./plug-n-play.ts";
import type { Prepared, Sources } from "./prepared.ts";
import {
  asItIsReason,
  explainFlags,
  type StartFlags,
  startFlags,
  takeFile,
} from "./start-flags.ts";
import { type Target, targetFor } from "./target.ts";
import { prepareUnbundled } from "./unbundled.ts";

/** What the caller's environment must not change in the app. */
const NODE_VARIABLES = ["NODE_OPTIONS", "NODE_PATH"];
/** Where the system looks for programs when nobody has said it. */
const DEFAULT_PATH = "/usr/bin:/bin";
const CACHE_VARIABLES = ["NODE_COMPILE_CACHE", "NODE_COMPILE_CACHE_PORTABLE"];

/** @throws BundleError */
export async function prepareNode(request: AppRequest): Promise<App> {
  const reader = new PackageReader();
  const entry = await findEntry(reader, request.source);
  await refusePlugAndPlay(reader, entry.dir);
  const target = targetFor(request.options.arch, request.options.nodeLibc ?? "glibc");
  // It is looked at for as long as the sources are, which need no more of it than its version.
  const finding = chooseInterpreter(request, target);
  try {
    return await prepareWith(request, { reader, entry, target, finding });
  } catch (failure) {
    throw missingUnderPlugAndPlay(failure, entry.dir);
  } finally {
    // Its failure comes first, and nobody removes the workspace under it.
    await finding;
  }
}

interface Given {
  reader: PackageReader;
  entry: NodeEntry;
  target: Target;
  finding: Promise<Interpreter | undefined>;
}

async function prepareWith(
  request: AppRequest,
  { reader, entry, target, finding }: Given,
): Promise<App> {
  const { options, source } = request;
  const runs = finding.then((interpreter) => runnable(interpreter, target));
  // Whoever asks for it is told; perhaps nobody does.
  runs.catch(() => {});
  const version = exactVersion(options.node ?? DEFAULT_NODE, target);
  const node = version ?? (await finding)?.version;
  const sources: Sources = { entry, target, node, runs, request, reader };
  const wanted = options.node ?? DEFAULT_NODE;
  const getting = wanted === "none" ? "" : `getting Node ${wanted}, and `;
  request.step(`${getting}looking at what the app imports`);
  const flags = await startFlags(reader, entry, source, runs);
  const why = options.bundle === "none" ? "as asked for" : asItIsReason(flags);
  const prepared = await (why === undefined
    ? prepareBundled(sources)
    : prepareUnbundled(sources, why));
  const interpreter = await finding;
  request.step("collecting the files of the app");
  const isBundled = prepared.how === "bundled";
  if (!isBundled) {
    for (const flag of flags.compilers) await takeFile(flags, entry.dir, flag);
  }
  const excluded = new Excluded(entry.dir, options.exclude ?? []);
  const packed = { target, node: interpreter?.version, excluded };
  const addons = await inspectAddons(reader, prepared.closure, packed);
  const foreign = options.keepForeign ? undefined : new ForeignFiles(target);
  const image = new NodeAppTree(entry.dir, options.exclude ?? [], foreign, request.signal);
  const unmatched = await prepared.fill(image);
  await addFlagFiles(image, flags);
  await image.addPackages(prepared.closure, addons);
  const leftOut = foreign?.summary();
  if (leftOut !== undefined) request.report(leftOut);
  image.addPrograms(await installedPrograms(reader, prepared.closure));
  const folders = await openedFolders(request, entry, prepared);
  const links = describeLinks(await image.settle(), entry.dir, isBundled);
  const words = nodeWords(image, flags);
  if (!(await isTypeless(reader, entry, prepared))) image.endScope();
  const compiles = compilesWith(options, interpreter, prepared.compiled);
  const making: CompileCache | Promise<CompileCache> =
    typeof compiles === "string"
      ? { shown: `none${compiles}` }
      : compileCache(request, image, compiles, prepared, flags);
  // The start script costs more than all else of a later start, so it is there where it has work.
  const hasScript = typeof compiles !== "string" || words.preloads.length > 0;
  const command = nodeCommand(words, image.place(prepared.start), hasScript);
  await image.addHelpers(hasScript);
  const inPath = interpreter !== undefined && options.nodeInPath !== false;
  if (interpreter !== undefined) await image.addInterpreter(interpreter, inPath);
  const start =
    interpreter === undefined
      ? startWithHost(image, options.name, command)
      : { entry: PROGRAM_PLACE, args: command };
  const linking = linkLibraries({
    tree: image.tree,
    options,
    takesLibraries: true,
    get workspace() {
      return request.workspace;
    },
  });
  // Another process makes the cache meanwhile, and is waited for in any case.
  linking.catch(() => {});
  const cache = await making;
  const libraries = await linking;
  const cached = image.addCompileCache(cache.files ?? new Map());
  editTree(image.tree, options);
  const main = byteString(image.place(prepared.start));
  const first = [...(hasScript ? [START_SCRIPT] : []), ...packageFiles(main), main, ...cached];
  return {
    kind: "node",
    tree: image.tree,
    ...start,
    env: interpreter?.env ?? [],
    ...(inPath && {
      envDefault: [`PATH=${DEFAULT_PATH}`],
      envPrepend: [`PATH=${BUNDLE_DIR}/${NODE_PATH_DIR}`],
    }),
    unsetEnv: [...(options.inheritNodeOptions ? [] : NODE_VARIABLES), ...CACHE_VARIABLES],
    start: interpreter && knownStart(interpreter, first),
    first,
    libc: libraries.libc,
    ...(interpreter && { hot: [start.entry] }),
    openssl: libraries.openssl,
    summary: summary(request, entry, interpreter, prepared),
    explain: [
      `starts ${path.relative(entry.dir, entry.file)} (${entry.why})`,
      interpreter === undefined
        ? `interpreter: the machine's own, Node ${OLDEST_HOST.version} or newer`
        : `interpreter: Node ${interpreter.version ?? "of unknown version"} from ${interpreter.source}`,
      ...explainFlags(flags, !isBundled),
      ...prepared.explain,
      ...explainAddons(addons, foreign !== undefined),
      ...(leftOut === undefined ? [] : [leftOut]),
      ...links.explain,
      `compile cache: ${cache.shown}`,
      ...libraries.explain,
    ],
    warnings: [
      ...flags.warnings,
      ...folders,
      ...prepared.warnings,
      ...unmatched.map((glob) =>
        warning("W_INCLUDE", `${glob} is to be included and matches nothing`),
      ),
      ...links.warnings,
      ...libraries.warnings,
    ],
  };
}

/** Where Node looks for package.json of a program: in its folder and those above it, in the image. */
function packageFiles(program: string): string[] {
  const folders = program.split("/").slice(0, -1);
  return folders.map((_, i) => [...folders.slice(0, folders.length - i), "package.json"].join("/"));
}

/** A command was made to be started in other people's folders, and opens theirs. */
async function openedFolders(
  { options }: AppRequest,
  { dir, isCommand }: NodeEntry,
  { own }: Prepared,
): Promise<Warning[]> {
  return isCommand ? [] : currentFolderWarnings(dir, own, options.targetHas ?? []);
}

/**
 * Whether Node finds out by itself that the entry is a module, and would ask in a warning for a word
 * in package.json if there were one.
 */
async function isTypeless(
  reader: PackageReader,
  { file }: NodeEntry,
  { compiled }: Prepared,
): Promise<boolean> {
  const isModule = compiled.some(({ place, role }) => place === file && role === "module");
  if (!isModule || !/\.[jt]s$/.test(file)) return false;
  return (await reader.above(path.dirname(file))) === undefined;
}

function chooseInterpreter(
  { options, workspace, report }: AppRequest,
  target: Target,
): Promise<Interpreter | undefined> {
  const wanted = options.node ?? DEFAULT_NODE;
  if (wanted === "none") return Promise.resolve(undefined);
  const cache = cacheDirectory();
  const packsLibraries = asksForLibraries(options);
  return findInterpreter({ wanted, target, packsLibraries, cache, workspace, report });
}

function summary(
  { why }: AppRequest,
  entry: NodeEntry,
  interpreter: Interpreter | undefined,
  { how }: Prepared,
): string {
  const name = path.relative(entry.dir, entry.file);
  const runs =
    interpreter === undefined ? "the machine's Node" : `Node ${interpreter.version ?? ""}`;
  return `node (${why}); ${name} ${how}, run by ${runs.trim()}`;
}

/** The interpreter as a program that can be asked, where it runs on this machine. */
function runnable(interpreter: Interpreter | undefined, { arch }: Target): string | undefined {
  return arch === process.arch ? interpreter?.file : undefined;
}

interface CompileCache {
  /** What became of it, for --explain. */
  shown: string;
  files?: Map<string, Uint8Array>;
}

/** The Node that compiles the app's code at build time, or why none does, for --explain. */
function compilesWith(
  options: AppRequest["options"],
  interpreter: Interpreter | undefined,
  compiled: Prepared["compiled"],
): Interpreter | string {
  if (options.compileCache === false) return ", as asked for";
  if (interpreter === undefined) return ", the Node of each machine is another";
  if (options.mountAt !== undefined) return " at a path that is always the same";
  if (options.writable) return " in a writable copy";
  const refusal = cacheRefusal(interpreter.version);
  if (refusal !== undefined) return `, ${refusal}`;
  if (options.arch !== hostArchitecture()) return ", that Node does not run here";
  return isWorthCompiling(compiled) ? interpreter : ", the sources are small";
}

async function compileCache(
  { options, workspace, report, step }: AppRequest,
  image: NodeAppTree,
  interpreter: Interpreter,
  { compiled }: Prepared,
  { others }: StartFlags,
): Promise<CompileCache> {
  const placed = compiled.map((file) => ({ ...file, place: image.place(file.place) }));
  step("compiling the app's code by the Node that is packed");
  try {
    const { name } = options;
    const request = { workspace, name, interpreter, flags: others, files: placed };
    const files = await makeCompileCache(request);
    return { shown: `${files.size} files`, files };
  } catch (cause) {
    report(`no compile cache: ${cause instanceof Error ? cause.message : cause}`);
    return { shown: "none, making it failed" };
  }
}

function explainAddons(addons: Addons, withoutForeign: boolean): string[] {
  return [...addons.values()].flatMap(({ name, kept, foreign }) => [
    ...kept.map((file) => `addon: ${name}/${file}`),
    ...(withoutForeign
      ? foreign.map((file) => `left out: ${name}/${file}, for another machine`)
      : []),
  ]);
}
