/** Shared libraries that an AppDir leaves to the machines that it will run on. */
import { findClosure } from "../app/elf/closure.ts";
import { Linker } from "../app/elf/linker.ts";
import { ElfFiles, treeObjects } from "../app/elf/objects.ts";
import type { Architecture } from "../paths.ts";
import type { Tree } from "../tree/tree.ts";

/**
 * Warnings for libraries that neither the AppDir has nor every machine.
 *
 * How the AppDir's own libraries are found is left to its AppRun: many set LD_LIBRARY_PATH.
 */
export async function missingLibraries(tree: Tree, arch: Architecture): Promise<string[]> {
  const files = new ElfFiles(arch);
  const objects = await treeObjects(tree, files);
  if (objects.length === 0) return [];
  const linker = new Linker(tree, objects, files, "");
  const { packed, missing } = await findClosure(linker, objects, []);
  const warnings = missing.map(
    ({ name, neededBy }) => `${neededBy} needs ${name}, which is neither here nor on this machine`,
  );
  if (packed.length === 0) return warnings;
  const names = [...new Set(packed.map(({ name }) => name))].sort().join(", ");
  return [...warnings, `the target must have ${names}; --with-libs packs them`];
}
