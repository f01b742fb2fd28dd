/**
 * Compiled addons in installed packages: which files are for the target, and whether the packed Node
 * can load them.
 */
import { readdirSync, statSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import path from "node:path";
import { MACHINE_HEAD, machineName, machineOf } from "../../elf/read.ts";
import type { Excluded } from "./excluded.ts";
import { type Closure, findPackage } from "./installed.ts";
import * as errors from "./node-errors.ts";
import { type PackageJson, type PackageReader, shownPackage } from "./package.ts";
import { abiOf, nodeWithAbi, packageFits, showTarget, type Target } from "./target.ts";

/** Sources and intermediate files of node-gyp, which no program opens. */
export const BUILD_LEFTOVERS = [
  "build/Release/obj.target",
  "build/Release/obj",
  "build/Release/.deps",
  "build/Debug",
  "**/*.{o,a,c,cc,cpp,cxx,h,hpp,gyp,gypi,mk}",
];

/** A package that only exists for some machine: `@img/sharp-linux-x64`, `@esbuild/linux-arm64`. */
const PLATFORM_NAME =
  /(?:^|[-_/@.])(?:linux|linuxmusl|darwin|win32|freebsd|android|wasm32)(?:[-_.]|$)/;

export interface PackageAddons {
  /** Of the package. */
  name: string;
  /** Files of the package that are for other machines, relative. */
  foreign: string[];
  /** Addons that stay, relative. */
  kept: string[];
}

/**
 * Why a package must stay on disk for its addons, or undefined.
 *
 * @param dir of the package
 */
export async function addonReason(reader: PackageReader, dir: string): Promise<string | undefined> {
  const json = (await reader.read(dir)) ?? {};
  if (platformPackages(json).length > 0) return "its optional dependencies are compiled";
  if (!isFolder(dir)) return undefined;
  const files = addonFiles(dir);
  if (files.length > 0) return `it has ${files[0]}`;
  const names = readdirSync(dir);
  return names.includes("binding.gyp") ? "it has binding.gyp" : undefined;
}

/** A package may be one file: `node_modules/NAME.js`. */
function isFolder(dir: string): boolean {
  return statSync(dir).isDirectory();
}

function platformPackages(json: PackageJson): string[] {
  return Object.keys(json.optionalDependencies ?? {}).filter((name) => PLATFORM_NAME.test(name));
}

/** Paths of `.node` files, relative; those of packages inside it are theirs. */
function addonFiles(dir: string): string[] {
  const found: string[] = [];
  const pending = [""];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const entry of readdirSync(path.join(dir, at), { withFileTypes: true })) {
      const name = path.join(at, entry.name);
      if (entry.isDirectory() && entry.name !== "node_modules" && entry.name !== "obj.target") {
        pending.push(name);
      } else if (entry.name.endsWith(".node") && !entry.isDirectory()) found.push(name);
    }
  }
  return found.sort();
}

/** What is packed, and what for. */
export interface Packed {
  target: Target;
  /** Version of the Node that is packed. */
  node: string | undefined;
  excluded: Excluded;
}

/** By folder of a package that has any. */
export type Addons = Map<string, PackageAddons>;

/**
 * Looks at all packages that are packed, without what the user leaves out.
 *
 * @throws E_NODE_ADDON_TARGET, E_NODE_ADDON_ABI
 */
export async function inspectAddons(
  reader: PackageReader,
  closure: Closure,
  packed: Packed,
): Promise<Addons> {
  await checkPlatformPackages(reader, closure, packed);
  const addons: Addons = new Map();
  for (const dir of [...closure.packages].sort()) {
    if (!isFolder(dir) || packed.excluded.has(dir)) continue;
    const found = await checkAddons(reader, dir, packed);
    if (found.kept.length === 0 && closure.required.has(dir)) await checkBuilt(reader, dir, packed);
    if (found.kept.length + found.foreign.length > 0) addons.set(dir, found);
  }
  return addons;
}

/**
 * Sorts the addons of one package by machine.
 *
 * @throws E_NODE_ADDON_TARGET, E_NODE_ADDON_ABI
 */
async function checkAddons(
  reader: PackageReader,
  dir: string,
  { target, node, excluded }: Packed,
): Promise<PackageAddons> {
  const name = (await reader.read(dir))?.name ?? path.basename(dir);
  const result: PackageAddons = { name, foreign: [], kept: [] };
  const others = new Set<string>();
  for (const file of addonFiles(dir)) {
    if (excluded.has(path.join(dir, file))) continue;
    const machine = await machineOfFile(path.join(dir, file));
    if (machine === target.machine && fitsByName(file, target)) result.kept.push(file);
    else {
      result.foreign.push(file);
      others.add(machine === undefined ? "no Linux program" : machineName(machine));
    }
  }
  if (result.kept.length === 0 && result.foreign.length > 0) {
    const actual = `${result.foreign.join(", ")}: ${[...others].join(", ")}`;
    const rest = result.foreign.length > 1 ? "**/*.node" : result.foreign[0];
    const glob = `${placeOf(dir)}/${rest}`;
    throw errors.addonTarget(dir, name, showTarget(target), actual, { glob });
  }
  await checkAbi(dir, name, result, node);
  return result;
}

/**
 * A package with binding.gyp has its addon compiled when it is installed, unless scripts are off.
 *
 * @throws E_NODE_ADDON_TARGET
 */
async function checkBuilt(
  reader: PackageReader,
  dir: string,
  { target, excluded }: Packed,
): Promise<void> {
  if (!readdirSync(dir).includes("binding.gyp")) return;
  // Whoever leaves them out knows that they are missing.
  const isLeftOut = (file: string) => excluded.has(path.join(dir, file));
  if (["binding.gyp", ...addonFiles(dir)].some(isLeftOut)) return;
  const json = (await reader.read(dir)) ?? {};
  if (platformPackages(json).length > 0) return;
  const name = json.name ?? path.basename(dir);
  const todo = `Run \`npm rebuild ${name}\` where it is installed`;
  const glob = `${placeOf(dir)}/binding.gyp`;
  const actual = "binding.gyp, which was not built";
  throw errors.addonTarget(dir, name, showTarget(target), actual, { todo, glob });
}

/**
 * Checks an addon of the app itself.
 *
 * @param dir of the project
 * @throws E_NODE_ADDON_TARGET, E_NODE_ADDON_ABI
 */
export async function checkAddonFile(
  file: string,
  dir: string,
  { target, node, excluded }: Packed,
): Promise<void> {
  if (excluded.has(file)) return;
  const name = path.relative(dir, file);
  const machine = await machineOfFile(file);
  if (machine !== target.machine) {
    const actual = machine === undefined ? "no Linux program" : machineName(machine);
    throw errors.addonTarget(file, "the app", showTarget(target), actual, { glob: name });
  }
  await checkAbi(dir, "the app", { name, kept: [name], foreign: [] }, node);
}

/** A package as globs of the user name it. */
const placeOf = (dir: string) => `node_modules/${shownPackage(dir)}`;

/** prebuilds/ holds folders and files by platform: `linux-x64/node.napi.musl.node`. */
function fitsByName(file: string, target: Target): boolean {
  if (/(?:^|[/_-])(?:darwin|win32|freebsd|android|openbsd)(?:[-_/.+]|$)/.test(file)) return false;
  const musl = /(?:musl|alpine)/.test(file);
  const glibc = /glibc|[-_.]gnu[-_.]/.test(file);
  return target.libc === "glibc" ? !musl : !glibc;
}

async function machineOfFile(file: string): Promise<number | undefined> {
  const handle = await open(file);
  try {
    const head = Buffer.alloc(MACHINE_HEAD);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    return machineOf(head.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/**
 * An addon names its Node by a symbol: `node_register_module_v137`. Those of Node-API have none, and
 * are for every version.
 */
async function checkAbi(
  dir: string,
  name: string,
  addons: PackageAddons,
  node: string | undefined,
): Promise<void> {
  const wanted = abiOf(node);
  if (wanted === undefined) return;
  const wrong: { file: string; abi: number }[] = [];
  let loadable = 0;
  for (const file of addons.kept) {
    const abi = await abiOfAddon(path.join(dir, file));
    if (abi === "any" || abi === wanted) loadable++;
    else if (abi !== undefined) wrong.push({ file, abi });
  }
  const [first] = wrong;
  if (first === undefined) return;
  if (loadable > 0) {
    addons.kept = addons.kept.filter((file) => !wrong.some((other) => other.file === file));
    return;
  }
  const expected = `NODE_MODULE_VERSION ${wanted} (Node ${node})`;
  const found = { abi: first.abi, node: nodeWithAbi(first.abi) };
  throw errors.addonAbi(path.join(dir, first.file), name, expected, found);
}

/** The ABI of an addon; undefined for a library that registers in another way, or is none. */
async function abiOfAddon(file: string): Promise<number | "any" | undefined> {
  const bytes = await readFile(file);
  if (bytes.includes("napi_register_module_v") || bytes.includes("napi_module_register")) {
    return "any";
  }
  const name = "node_register_module_v";
  const at = bytes.indexOf(name);
  if (at < 0) return undefined;
  const start = at + name.length;
  const digits = /^\d+/.exec(bytes.toString("latin1", start, start + 8))?.[0];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * A package whose compiled parts are packages of their own must have the ones for the target.
 *
 * @throws E_NODE_ADDON_TARGET
 */
async function checkPlatformPackages(
  reader: PackageReader,
  closure: Closure,
  { target, excluded }: Packed,
): Promise<void> {
  for (const dir of closure.packages) {
    if (excluded.has(dir)) continue;
    const json = await reader.read(dir);
    if (json === undefined) continue;
    const wanted = platformPackages(json);
    if (wanted.length === 0) continue;
    const installed: string[] = [];
    let fits = false;
    for (const name of wanted) {
      const found = findPackage(dir, name);
      if (found === undefined || excluded.has(found.dir)) continue;
      installed.push(name);
      fits ||= packageFits((await reader.read(found.dir)) ?? {}, target);
    }
    // None at all is a choice: some only make things faster, or have a part in JavaScript too.
    if (fits || installed.length === 0) continue;
    const name = json.name ?? path.basename(dir);
    const todo =
      `Install it for the target beside the one for this machine (npm install --os=linux ` +
      `--cpu=${target.arch}${target.libc === "glibc" ? "" : " --libc=musl"} ${name})`;
    const [first = ""] = installed;
    const glob = `node_modules/${installed.length > 1 ? `{${installed.join(",")}}` : first}`;
    throw errors.addonTarget(dir, name, showTarget(target), installed.join(", "), { todo, glob });
  }
}
