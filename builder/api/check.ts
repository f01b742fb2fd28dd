/** Whether a finished bundle has all that it names. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { type Closed, checkTree } from "../check/check-tree.ts";
import { checkOptions } from "../config/validate.ts";
import * as errors from "../errors.ts";
import { architectures, hostArchitecture } from "../host/paths.ts";
import { removeTemporary, workFolder } from "../host/temporary.ts";
import { treeFromDirectory } from "../input/add-directory.ts";
import type { Warning } from "../warnings.ts";
import { withImage } from "./inspect.ts";

/** What a check takes. */
export interface CheckOptions {
  /** What every target has: names of programs and libraries, or paths; `glibc-2.36` is a version of it. */
  targetHas?: readonly string[] | undefined;
}

/** What a check has found. */
export interface CheckResult {
  /** What is neither in the image nor on every target. */
  findings: readonly Warning[];
  /** ELF files that were looked at. */
  programs: number;
  /** Scripts that can be executed. */
  scripts: number;
  /** Packages for Node. */
  packages: number;
}

/**
 * Looks whether all that the files of a bundle name is in it, or on every target: needed libraries and
 * versions of their symbols, dynamic linkers, interpreters of scripts, dependencies of packages, recorded
 * paths and symbolic links. Nothing is run, and nothing of this machine counts.
 *
 * @throws E_INPUT_MISSING, E_FILE_UNREADABLE, E_ELF_*, E_MANIFEST_*, E_IMAGE_*
 *
 * @example
 * ```js
 * import { build, check } from "fuselage-bundle";
 *
 * await build({ input: "hello", output: "hello.run" });
 * const { findings, scripts } = await check("hello.run");
 * console.log(findings.length, scripts); // 0 1
 * ```
 */
export async function check(file: string, options: CheckOptions = {}): Promise<CheckResult> {
  checkOptions("check", { file, ...options });
  return checkImage(file, options.targetHas ?? []);
}

/** @param file may be one that has no name yet */
export function checkImage(file: string, declared: readonly string[]): Promise<Closed> {
  return withImage(file, async ({ manifest, arch }, image) => {
    const workspace = workFolder();
    try {
      const [root, emptyRoot] = ["image", "empty"].map((name) => path.join(workspace, name)) as [
        string,
        string,
      ];
      mkdirSync(root, { mode: 0o700 });
      mkdirSync(emptyRoot);
      await image.extract(root, { xattrs: false });
      const tree = await treeFromDirectory(root, { anything: true });
      const known = architectures.find((one) => one === arch) ?? hostArchitecture();
      if (known === undefined) throw errors.internal(new Error("no architecture is known"));
      return await checkTree({ tree, manifest, arch: known, declared, emptyRoot });
    } finally {
      removeTemporary(workspace);
    }
  });
}
