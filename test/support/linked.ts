/** Libraries of a folder, linked as a build links them. */

import { open } from "node:fs/promises";
import path from "node:path";
import { expect } from "vitest";
import { type BuildOptions, resolveBuildOptions } from "../../builder/config/build-options.ts";
import { readDynamic } from "../../builder/elf/dynamic.ts";
import { treeFromDirectory } from "../../builder/input/add-directory.ts";
import { linkLibraries } from "../../builder/libraries/add-libraries.ts";
import { pathOnDisk } from "../../builder/tree/node.ts";
import type { Tree } from "../../builder/tree/tree.ts";
import { shownWarning } from "../../builder/warnings.ts";
import { type Files, writeFiles } from "./case.ts";
import { temporaryDirectory } from "./temporary.ts";

/** Links what is in `app/`, with the rest as its sysroot. */
export async function link(files: Files, options: Partial<BuildOptions> = { withLibs: true }) {
  const root = temporaryDirectory();
  writeFiles(root, files);
  const input = path.join(root, "app");
  const tree = await treeFromDirectory(input);
  for (const { path: at, node } of tree.walk()) if (at.startsWith("bin/")) node.mode = 0o755;
  const report = await linkLibraries({
    tree,
    options: resolveBuildOptions({
      input,
      output: "x",
      arch: "x86_64",
      sysroot: root,
      libc: "host",
      ...options,
    }),
    workspace: temporaryDirectory(),
  });
  return { tree, root, ...report, warnings: report.warnings.map(shownWarning) };
}

/** The search path of a file of the tree as it would be packed. */
export async function runPath(tree: Tree, at: string): Promise<readonly string[]> {
  const node = tree.get(at);
  if (node?.kind !== "file" || node.contents.from !== "disk")
    return expect.fail(`${at} is not there`);
  const handle = await open(Buffer.from(pathOnDisk(node.contents), "latin1"));
  const { rpath, runpath } = await readDynamic(handle, at).finally(() => handle.close());
  expect(rpath.length === 0 || runpath.length === 0).toBe(true);
  return [...rpath, ...runpath];
}

export const paths = (tree: Tree) => [...tree.walk()].map(({ path: at }) => at);

/** What a file of the tree asks for, as it would be packed. */
export async function asked(tree: Tree, at: string) {
  const node = tree.get(at);
  if (node?.kind !== "file" || node.contents.from !== "disk")
    return expect.fail(`${at} is not there`);
  const handle = await open(Buffer.from(pathOnDisk(node.contents), "latin1"));
  const { needed, filters, versions } = await readDynamic(handle, at).finally(() => handle.close());
  return { needed, filters: filters.map(({ name }) => name), of: versions.map((v) => v.library) };
}
