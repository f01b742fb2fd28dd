/** Every DT_NEEDED, version of symbols and dynamic linker of an image. */
import path from "node:path";
import { ElfFiles, type ElfObject, isProgram, treeObjects } from "../libraries/elf-objects.ts";
import { findClosure } from "../libraries/library-closure.ts";
import { describeLibraries } from "../libraries/library-report.ts";
import { Linker } from "../libraries/linker.ts";
import { BUNDLE_DIR } from "../manifest/manifest.ts";
import { type Warning, warning } from "../warnings.ts";
import type { Bundle } from "./check-tree.ts";

export async function checkLibraries({ tree, manifest, arch, declared, emptyRoot }: Bundle) {
  const files = new ElfFiles(arch);
  const objects = await treeObjects(tree, files);
  const linker = new Linker(tree, objects, files, emptyRoot, declared);
  const closure = await findClosure(linker, objects, []);
  const led = libraryFolders(manifest?.env ?? []);
  for (const folders of closure.unled.values()) {
    for (const folder of led) folders.delete(folder);
  }
  const { warnings } = describeLibraries(closure, objects, {
    openings: [],
    packs: false,
    declared,
  });
  const missing = closure.missing.map(({ name, neededBy }) =>
    warning("W_LIBRARY_MISSING", `${neededBy} needs ${name}, which is not in the image`),
  );
  const findings = [
    ...missing,
    ...warnings.filter(({ code }) => code !== "W_LIBRARY_MISSING"),
    ...(await missingVersions(linker, objects)),
  ];
  return { findings, count: objects.length };
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
      const message = `${object.shown} needs ${version} of ${library}, which ${found.object.shown} has not`;
      findings.push(warning("W_LIBRARY_VERSION", message));
    }
  }
  return findings;
}
