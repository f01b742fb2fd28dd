/** Files that a program opens or starts by their place: assets, workers, children. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Loader } from "esbuild";
import { statusOf } from "../../host/status.ts";
import { byteString } from "../../tree/path.ts";
import { findPackage } from "./installed.ts";
import { programOwner } from "./installed-programs.ts";
import { SCRIPT } from "./node-entry.ts";
import { installedPackage, packageName } from "./package.ts";
import { filesOf, type Reference, ReferenceList } from "./references.ts";
import { namesIn } from "./unlisted.ts";

/**
 * Folders of a system. What a program opens there it opens by that name wherever it runs, and finds what that machine
 * has; what the machine has on which it is packed, its secrets among it, is nobody else's.
 */
const OF_THE_MACHINE = [
  ...["/bin/", "/boot/", "/dev/", "/etc/", "/lib/", "/lib32/", "/lib64/", "/proc/", "/run/"],
  ...["/sbin/", "/sys/", "/usr/", "/var/"],
];

/** @param dir of the project, which may lie in one of them with what belongs to it */
function isOfTheMachine(file: string, dir: string): boolean {
  return OF_THE_MACHINE.some((top) => `${file}/`.startsWith(top) && !`${dir}/`.startsWith(top));
}

export interface Traced {
  /** Files, folders and links of the app that are opened: absolute, byte strings. */
  assets: Set<string>;
  /** Scripts of the app that are started by their place: name in the image → source. */
  programs: Map<string, string>;
  /** Folders of installed packages that are asked for at run time: why. */
  packages: Map<string, string>;
  /** Paths in node_modules by which those are found. */
  places: Set<string>;
  /** Why scripts are loaded whose names are only known at run time. */
  unseen: string | undefined;
}

export function emptyTraced(): Traced {
  return {
    assets: new Set(),
    programs: new Map(),
    packages: new Map(),
    places: new Set(),
    unseen: undefined,
  };
}

/**
 * Follows the references of some files.
 *
 * @param dir of the project
 * @param files that ask for places
 * @param bundled all files that are in the bundle
 */
export async function trace(
  dir: string,
  files: readonly string[],
  bundled: ReadonlySet<string>,
): Promise<Traced> {
  const traced = emptyTraced();
  const seen = new Set(files);
  for (let pending = [...files]; pending.length > 0; ) {
    const references = await follow(dir, pending, bundled, traced);
    pending = [];
    for (const reference of references) {
      for (const script of await addReference(dir, reference, traced)) {
        if (seen.has(script) || bundled.has(script)) continue;
        seen.add(script);
        pending.push(script);
      }
    }
  }
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    if (installedPackage(file) === undefined) addCompiledNames(file, text, traced);
    if (text.includes("createRequire")) addRequired(dir, file, text, traced);
  }
  return traced;
}

/** One round of the tracer, which does not look into packages: they are decided on as a whole. */
async function follow(
  dir: string,
  files: readonly string[],
  bundled: ReadonlySet<string>,
  traced: Traced,
): Promise<Reference[]> {
  const { nodeFileTrace, resolve } = await import("@vercel/nft");
  const asked = new Set(files);
  const references = new ReferenceList();
  const { fileList, reasons } = await nodeFileTrace([...files], {
    base: "/",
    processCwd: dir,
    ts: true,
    readFile: readScript,
    stat: references.stat,
    ignore: references.ignore,
    // Links stay as the source names them; what they lead to is added with them.
    readlink: () => Promise.resolve(null),
    resolve: async (id, parent, job, cjs) => {
      if (installedPackage(parent) !== undefined && !asked.has(parent)) return [];
      const found = await resolve(id, parent, job, cjs);
      notePlace(id, parent, traced);
      return Array.isArray(found) ? found.map(realFile) : realFile(found);
    },
  });
  for (const name of fileList) {
    const file = `/${name}`;
    if (asked.has(file)) continue;
    const program = programOwner(file);
    if (program !== undefined) {
      addPackage(program, "the app", traced);
      continue;
    }
    const reason = reasons.get(name);
    const owner = installedPackage(file);
    const isAsset = reason?.type.includes("asset") === true;
    if (owner !== undefined) {
      if (bundled.has(file) && !isAsset) continue;
      const parent = [...(reason?.parents ?? [])][0];
      addPackage(
        owner,
        parent === undefined ? "the app" : path.relative(dir, `/${parent}`),
        traced,
      );
    } else if (isOfTheMachine(file, dir)) continue;
    else if (isAsset && SCRIPT.test(file)) traced.programs.set(file, file);
    else if (!bundled.has(file) && path.basename(file) !== "package.json") {
      traced.assets.add(byteString(file));
    }
  }
  return references.all;
}

/** @param owner folder, perhaps a link @param from the file that asks, as messages show it */
function addPackage(owner: string, from: string, { packages, places }: Traced): void {
  const real = realFile(owner);
  if (real !== owner) places.add(owner);
  if (!packages.has(real)) packages.set(real, `${from} asks for it at run time`);
}

/** Node finds a package by its name from where it is asked for. */
function notePlace(id: string, parent: string, { places }: Traced): void {
  if (/^(?:\.{0,2}\/|#|node:)/.test(id)) return;
  const found = findPackage(path.dirname(parent), packageName(id));
  if (found !== undefined) places.add(found.place);
}

function realFile(file: string): string {
  return file.startsWith("/") && existsSync(file) ? realpathSync(file) : file;
}

/** @returns scripts among the files, which may load more */
async function addReference(dir: string, reference: Reference, traced: Traced): Promise<string[]> {
  const owner = installedPackage(`${reference.dir}/`);
  if (owner !== undefined) {
    addPackage(owner, "the app", traced);
    return [];
  }
  const { assets, scripts } = await filesOf(reference);
  for (const asset of assets) if (!isOfTheMachine(asset, dir)) traced.assets.add(asset);
  if (!reference.isLiteral || scripts.length === 0) return scripts;
  const pattern = path.join(path.relative(dir, reference.dir), reference.glob ?? "");
  traced.unseen ??= `scripts are loaded by the pattern ${pattern}`;
  return [];
}

/**
 * The tracer reads JavaScript only. What is no text, or nothing, is an asset without references; only
 * a package.json may be missing.
 */
export async function readScript(file: string): Promise<Buffer | string | null> {
  const bytes = await readFile(file).catch(() => null);
  if (bytes === null) return path.basename(file) === "package.json" ? null : "";
  const loader = /\.[cm]?(tsx?|jsx)$/.exec(file)?.[1];
  if (loader === undefined) return bytes;
  const { transform } = await import("esbuild");
  const options = { loader: loader as Loader, sourcefile: file, logLevel: "silent" as const };
  return transform(bytes, options).then(
    ({ code }) => code,
    () => "",
  );
}

/** A `require` of its own may be made and named in more ways than the tracer follows. */
function addRequired(dir: string, file: string, text: string, traced: Traced): void {
  for (const name of namesIn(text)) {
    const found = findPackage(path.dirname(file), name);
    if (found === undefined || found.dir === installedPackage(file)) continue;
    traced.places.add(found.place);
    if (installedPackage(found.dir) !== undefined)
      addPackage(found.dir, path.relative(dir, file), traced);
  }
}

/** `new URL("./worker.js", ...)` where the source is worker.ts: the name that is asked for stays. */
function addCompiledNames(file: string, text: string, { programs }: Traced): void {
  for (const [, name = ""] of text.matchAll(/["'`](\.{0,2}\/?[\w./-]+\.[cm]?js)["'`]/g)) {
    const asked = path.resolve(path.dirname(file), name);
    const source = asked.replace(/js$/, "ts");
    if (!existsSync(asked) && statusOf(source)?.isFile()) {
      const before = text.slice(0, text.indexOf(name));
      if (/(?:new URL\(|join\(|resolve\(|Worker\(|fork\()[^)]*$/.test(before)) {
        programs.set(asked, source);
      }
    }
  }
}
