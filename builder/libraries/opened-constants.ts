/** Libraries that objects may open by names that stand in them (dlopen), and that nobody packs. */
import { open } from "node:fs/promises";
import type { DynamicFacts } from "../elf/dynamic.ts";
import { openedNames } from "../elf/opened-names.ts";
import type { Learned } from "../host/learned.ts";
import type { ElfObject } from "./elf-objects.ts";
import { isEverywhere } from "./host-libraries.ts";
import type { Closure } from "./library-closure.ts";
import type { Linker } from "./linker.ts";

export interface Opening {
  /** Who may open them, as messages name it. */
  shown: string;
  names: string[];
}

/**
 * @param objects those that are packed
 * @param closure what is named anyway
 */
export async function findOpenings(
  linker: Linker,
  objects: readonly ElfObject[],
  closure: Closure,
  learned: Learned,
): Promise<Opening[]> {
  const packed = new Set(closure.packed.map(({ name }) => name));
  const openings: Opening[] = [];
  for (const object of objects) {
    const names: string[] = [];
    for (const name of await constantsOf(object, learned)) {
      const isNamed = packed.has(name) || closure.target.has(name);
      const isSelf = object.facts.soname?.startsWith(name) || object.shown.endsWith(`/${name}`);
      if (isNamed || isSelf) continue;
      const found = await linker.find(name, [object]);
      if (found.kind === "tree" || (found.kind === "target" && isEverywhere(found.library)))
        continue;
      names.push(name);
    }
    if (names.length > 0) openings.push({ shown: object.shown, names });
  }
  return openings;
}

async function constantsOf(
  { real, facts, digest }: ElfObject,
  learned: Learned,
): Promise<string[]> {
  const read = () => readConstants(real, facts);
  return digest === undefined ? read() : learned.value(["opened names", digest], read);
}

async function readConstants(file: string, facts: DynamicFacts): Promise<string[]> {
  const handle = await open(file);
  try {
    return await openedNames(handle, facts);
  } finally {
    await handle.close();
  }
}
