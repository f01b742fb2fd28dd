/** Programs that an earlier build gave a libc of the same tree: of a finished bundle, or of one unpacked. */

import { resolvePath } from "../../tree/resolve.ts";
import type { Tree } from "../../tree/tree.ts";
import { type ElfObject, isProgram } from "../elf-objects.ts";

export interface PackedBefore {
  kind: "glibc" | "musl";
  programs: readonly ElfObject[];
  /** Folders of the tree with its parts. */
  folders: readonly string[];
}

/** Each libc of the tree, with the programs that find their dynamic linker there. */
export function packedBefore(tree: Tree, objects: readonly ElfObject[]): PackedBefore[] {
  const started = objects.filter((object) => isProgram(object) && findsLoader(tree, object));
  return (["glibc", "musl"] as const).flatMap((kind) => {
    const programs = started.filter(({ facts }) => facts.ownLoader?.libc === kind);
    const folders = programs.flatMap(({ facts }) => facts.ownLoader?.libraries ?? []);
    return programs.length === 0 ? [] : { kind, programs, folders: [...new Set(folders)] };
  });
}

function findsLoader(tree: Tree, { path: at, facts }: ElfObject): boolean {
  const { ownLoader } = facts;
  if (ownLoader === undefined || at?.split("/").length !== ownLoader.root + 1) return false;
  const resolved = resolvePath(tree, ownLoader.loader);
  return "found" in resolved && resolved.found.kind === "file";
}

/** The objects that are no part of such a libc, which is whole by itself. */
export function withoutParts(
  objects: readonly ElfObject[],
  libcs: readonly PackedBefore[],
): ElfObject[] {
  const folders = libcs.flatMap((libc) => libc.folders);
  const isPart = ({ path: at = "" }: ElfObject) =>
    folders.some((folder) => at.startsWith(`${folder}/`));
  return objects.filter((object) => !isPart(object));
}
