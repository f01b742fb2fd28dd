/** Projects whose packages only Yarn's own loader finds (https://yarnpkg.com/features/pnp). */
import { existsSync } from "node:fs";
import path from "node:path";
import { BundleError } from "../../errors.ts";
import { findPackage } from "./installed.ts";
import * as errors from "./node-errors.ts";
import type { PackageReader } from "./package.ts";

const LOADERS = [".pnp.cjs", ".pnp.js"];

/** The loader that holds for a folder: it lies in the project's root. */
function loaderAbove(dir: string): string | undefined {
  for (let at = dir; ; at = path.dirname(at)) {
    const found = LOADERS.map((name) => path.join(at, name)).find((file) => existsSync(file));
    if (found !== undefined || path.dirname(at) === at) return found;
  }
}

/**
 * Refuses a project that names packages which are in no node_modules but may be in archives of Yarn's. One
 * that is only tried would be left out without a word.
 *
 * @param dir of the project
 * @throws E_NODE_PNP, E_NODE_PACKAGE
 */
export async function refusePlugAndPlay(reader: PackageReader, dir: string): Promise<void> {
  const loader = loaderAbove(dir);
  if (loader === undefined) return;
  const { dependencies, optionalDependencies } = (await reader.read(dir)) ?? {};
  const names = Object.keys({ ...dependencies, ...optionalDependencies });
  const missing = names.find((name) => findPackage(dir, name) === undefined);
  if (missing !== undefined) throw errors.plugAndPlay(loader, missing);
}

/** What a package that is not installed means where Yarn's loader finds more than Node. */
export function missingUnderPlugAndPlay(failure: unknown, dir: string): unknown {
  if (!(failure instanceof BundleError) || failure.code !== "E_NODE_DEPENDENCY") return failure;
  const loader = loaderAbove(dir);
  return loader === undefined ? failure : errors.plugAndPlay(loader, undefined, failure);
}
