/**
 * Closure of a finished bundle: whether all that its files name is in the image, or among what every
 * target has. Nothing is run, and this machine's own files are not looked at.
 */
import type { Architecture } from "../host/paths.ts";
import type { Manifest } from "../manifest/manifest.ts";
import type { Tree } from "../tree/tree.ts";
import type { Warning } from "../warnings.ts";
import { checkLibraries } from "./check-libraries.ts";
import { checkPackages } from "./check-packages.ts";
import { checkPaths } from "./check-paths.ts";
import { checkScripts } from "./check-scripts.ts";

export interface Bundle {
  /** What is in the image; contents are on disk. */
  tree: Tree;
  /** Undefined for an image without one. */
  manifest: Manifest | undefined;
  arch: Architecture;
  /** Names and paths of what every target has, as the user says. */
  declared: readonly string[];
  /** An empty folder, in place of this machine's root. */
  emptyRoot: string;
}

/** What was looked at, and what is missing. */
export interface Closed {
  findings: Warning[];
  /** ELF files, scripts that can be executed, packages for Node. */
  programs: number;
  scripts: number;
  packages: number;
}

export async function checkTree(bundle: Bundle): Promise<Closed> {
  const libraries = await checkLibraries(bundle);
  const scripts = await checkScripts(bundle);
  const packages = await checkPackages(bundle);
  const findings = [libraries, scripts, packages].flatMap((part) => part.findings);
  return {
    findings: [...checkPaths(bundle), ...findings],
    programs: libraries.count,
    scripts: scripts.count,
    packages: packages.count,
  };
}
