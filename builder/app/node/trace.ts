/** Files that a program opens or starts by their place: assets, workers, children. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Loader } from "esbuild";
import { programOwner } from "./installed-programs.ts";
import { SCRIPT } from "./node-entry.ts";
import { installedPackage } from "./package.ts";

export interface Traced {
  /** Files of the app that are opened: absolute. */
  assets: Set<string>;
  /** Scripts of the app that are started by their place: name in the image → source. */
  programs: Map<string, string>;
  /** Folders of installed packages that are asked for by their place. */
  packages: Set<string>;
}

/**
 * Follows the references of some files of the app.
 *
 * @param files of the app that ask for places
 * @param bundled all files that are in the bundle
 */
export async function trace(
  dir: string,
  files: readonly string[],
  bundled: ReadonlySet<string>,
): Promise<Traced> {
  const traced: Traced = { assets: new Set(), programs: new Map(), packages: new Set() };
  if (files.length === 0) return traced;
  const { nodeFileTrace, resolve } = await import("@vercel/nft");
  const { fileList, reasons } = await nodeFileTrace([...files], {
    base: "/",
    processCwd: dir,
    ts: true,
    readFile: readScript,
    // Packages are decided on as a whole, so their insides are not looked at.
    resolve: async (id, parent, job, cjs) =>
      installedPackage(parent) === undefined ? resolve(id, parent, job, cjs) : [],
  });
  for (const name of fileList) {
    const file = `/${name}`;
    const program = programOwner(file);
    if (program !== undefined) {
      traced.packages.add(program);
      continue;
    }
    const owner = installedPackage(file);
    const isAsset = reasons.get(name)?.type.some((type) => type === "asset") === true;
    if (owner !== undefined) {
      if (!bundled.has(file) || isAsset) traced.packages.add(owner);
    } else if (isAsset && SCRIPT.test(file)) traced.programs.set(file, file);
    else if (!bundled.has(file) && path.basename(file) !== "package.json") traced.assets.add(file);
  }
  for (const file of files) addCompiledNames(file, traced);
  return traced;
}

/** The tracer reads JavaScript only. */
async function readScript(file: string): Promise<Buffer | string | null> {
  const bytes = await readFile(file).catch(() => null);
  const loader = /\.[cm]?(tsx?|jsx)$/.exec(file)?.[1];
  if (bytes === null || loader === undefined) return bytes;
  const { transform } = await import("esbuild");
  const options = { loader: loader as Loader, sourcefile: file, logLevel: "silent" as const };
  return (await transform(bytes, options)).code;
}

/** `new URL("./worker.js", ...)` where the source is worker.ts: the name that is asked for stays. */
function addCompiledNames(file: string, { programs }: Traced): void {
  const text = readFileSync(file, "utf8");
  for (const [, name = ""] of text.matchAll(/["'`](\.{0,2}\/?[\w./-]+\.[cm]?js)["'`]/g)) {
    const asked = path.resolve(path.dirname(file), name);
    const source = asked.replace(/js$/, "ts");
    if (!existsSync(asked) && statSync(source, { throwIfNoEntry: false })?.isFile()) {
      const before = text.slice(0, text.indexOf(name));
      if (/(?:new URL\(|join\(|resolve\(|Worker\(|fork\()[^)]*$/.test(before)) {
        programs.set(asked, source);
      }
    }
  }
}
