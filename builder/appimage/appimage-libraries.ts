/** Shared libraries that an AppDir leaves to the machines that it will run on. */

import type { ResolvedBuildOptions } from "../config/build-options.ts";
import { ElfFiles, treeObjects } from "../libraries/elf-objects.ts";
import { findClosure } from "../libraries/library-closure.ts";
import { targetWarnings } from "../libraries/library-report.ts";
import { Linker } from "../libraries/linker.ts";
import { imagePlaces } from "../manifest/folder-map.ts";
import { byteString } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import { type Warning, warning } from "../warnings.ts";

/**
 * Warnings for libraries that neither the AppDir has nor every machine.
 *
 * How the AppDir's own libraries are found is left to its AppRun: many set LD_LIBRARY_PATH.
 */
export async function missingLibraries(
  tree: Tree,
  {
    arch,
    targetHas,
    mountAt,
    maps,
  }: Pick<ResolvedBuildOptions, "arch" | "targetHas" | "mountAt" | "maps">,
): Promise<Warning[]> {
  const files = new ElfFiles(arch);
  const objects = await treeObjects(tree, files);
  if (objects.length === 0) return [];
  const places = imagePlaces(mountAt, maps.map(byteString));
  const linker = new Linker(tree, objects, files, "", targetHas, places);
  const { packed, missing, target } = await findClosure(linker, objects, []);
  const warnings = [
    ...missing.map(({ name, neededBy }) =>
      warning(
        "W_LIBRARY_MISSING",
        `${neededBy} needs ${name}, which is neither here nor on this machine`,
      ),
    ),
    ...targetWarnings({ target }),
  ];
  if (packed.length === 0) return warnings;
  const names = [...new Set(packed.map(({ name }) => name))].sort().join(", ");
  const message = `the target must have ${names}; --with-libs packs them`;
  return [...warnings, warning("W_LIBRARY_TARGET", message)];
}
