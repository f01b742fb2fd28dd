/** Every DT_NEEDED, version of symbols and dynamic linker of an image. */
import path from "node:path";
import { ElfFiles, type ElfObject, isProgram, treeObjects } from "../libraries/elf-objects.ts";
import { neededVersions, newest } from "../libraries/libc/needed-versions.ts";
import { type PackedBefore, packedBefore, withoutParts } from "../libraries/libc/packed-before.ts";
import { findClosure } from "../libraries/library-closure.ts";
import { describeLibraries } from "../libraries/library-report.ts";
import { Linker } from "../libraries/linker.ts";
import { imagePlaces } from "../manifest/folder-map.ts";
import { BUNDLE_DIR } from "../manifest/manifest.ts";
import { type Warning, warning } from "../warnings.ts";
import type { Bundle } from "./check-tree.ts";

export async function checkLibraries({ tree, manifest, arch, declared, emptyRoot }: Bundle) {
  const files = new ElfFiles(arch);
  const all = await treeObjects(tree, files);
  const libcs = packedBefore(tree, all);
  const objects = withoutParts(all, libcs);
  const places = imagePlaces(manifest?.mountAt, manifest?.maps ?? []);
  const linker = new Linker(tree, objects, files, emptyRoot, declared, places);
  const closure = await findClosure(linker, objects, []);
  const led = libraryFolders(manifest?.env ?? []);
  for (const folders of closure.unled.values()) {
    for (const folder of led) folders.delete(folder);
  }
  const { warnings } = describeLibraries(closure, objects, {
    openings: [],
    packs: false,
    declared,
    libcs,
    isPlaced: (file) => linker.isPlaced(file),
  });
  const missing = closure.missing.map(({ name, neededBy }) =>
    warning("W_LIBRARY_MISSING", `${neededBy} needs ${name}, which is not in the image`),
  );
  const findings = [
    ...missing,
    ...warnings.filter(({ code }) => code !== "W_LIBRARY_MISSING"),
    ...(await missingVersions(linker, objects)),
    ...missingLoaders(objects, libcs),
    ...olderLibc(objects, all, libcs),
  ];
  return { findings, count: all.length };
}

/** Folders of the image that a variable leads every program to. */
function libraryFolders(env: readonly string[]): string[] {
  const values = env.filter((one) => one.startsWith("LD_LIBRARY_PATH="));
  return values
    .flatMap((value) => value.slice(value.indexOf("=") + 1).split(":"))
    .filter((dir) => dir.startsWith(BUNDLE_DIR))
    .map((dir) => path.posix.join("/", dir.slice(BUNDLE_DIR.length)).slice(1));
}

/** A library of the image that is older than what asks for it. One without versions is taken as it is. */
async function missingVersions(linker: Linker, objects: readonly ElfObject[]): Promise<Warning[]> {
  const programs = objects.filter(isProgram);
  const findings: Warning[] = [];
  for (const object of objects) {
    for (const { library, version } of object.facts.versions) {
      const found = await linker.find(library, [object, ...programs.slice(0, 1)]);
      if (found.kind !== "tree") continue;
      const { definedVersions } = found.object.facts;
      if (definedVersions.length === 0 || definedVersions.includes(version)) continue;
      findings.push(tooOld(object.shown, version, library, found.object));
    }
  }
  return findings;
}

/** @param shown who asks @param found the library that has other versions alone */
function tooOld(shown: string, version: string, library: string, found: ElfObject): Warning {
  const { definedVersions, soname } = found.facts;
  // Dozens stand in a libc; the newest one says how old it is. The first one is the library itself.
  const versions = definedVersions.filter((one) => one !== soname);
  const has = newest(versions) ?? (versions.slice(-3).join(", ") || "none");
  const message = `${shown} needs ${version} of ${library}, which ${found.shown} has not: it has ${has}`;
  return warning("W_LIBRARY_VERSION", message);
}

/** Programs whose own dynamic linker is not where they look for it. */
function missingLoaders(objects: readonly ElfObject[], libcs: readonly PackedBefore[]): Warning[] {
  const started = new Set(libcs.flatMap(({ programs }) => programs));
  return objects.flatMap((object) => {
    const { ownLoader } = object.facts;
    if (ownLoader === undefined || started.has(object)) return [];
    const message = `${object.shown} is started by ${ownLoader.loader}, which is not in the image`;
    return warning("W_LINKER", message);
  });
}

/** A packed glibc that has not what something of the image asks for. */
function olderLibc(
  objects: readonly ElfObject[],
  all: readonly ElfObject[],
  libcs: readonly PackedBefore[],
): Warning[] {
  const folders = libcs.filter(({ kind }) => kind === "glibc").flatMap((libc) => libc.folders);
  const parts = new Map(
    folders.flatMap((folder) =>
      all
        .filter(({ path: at = "" }) => path.posix.dirname(at) === folder)
        .map((part) => [path.posix.basename(part.path ?? ""), part] as const),
    ),
  );
  return neededVersions(objects).flatMap(({ library, version, shown }) => {
    const part = parts.get(library);
    const defined = part?.facts.definedVersions ?? [];
    if (part === undefined || defined.length === 0 || defined.includes(version)) return [];
    return tooOld(shown, version, library, part);
  });
}
