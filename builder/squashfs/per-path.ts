// Which files are compressed otherwise than the image says: at another level, or not at all.
//
// An image has one codec, which a reader takes for every block that is not stored as it is; levels are the
// business of whoever writes.

import * as errors from "../errors.ts";
import type { NativeCompression } from "../native/addon.ts";
import { exclusion } from "../tree/exclusion.ts";
import { joinPath } from "../tree/path.ts";
import type { Plan } from "./plan.ts";

/** Files of the image that a glob matches, and the level for them. */
export interface LevelFor {
  glob: string;
  level: number;
}

export interface PerPath {
  /** Globs of files that are stored as they are. */
  store?: readonly string[] | undefined;
  /** The last one that matches counts. */
  compress?: readonly LevelFor[] | undefined;
}

export interface ChosenCompressions {
  /** The first is the image's own. */
  compressions: NativeCompression[];
  /** Index in `compressions`, by the number of a file; of one that is not here: 0. */
  chosen: ReadonlyMap<number, number>;
}

/** In `NativeCompression.tag`. */
const STORED = 1;
const tagOf = (level: number) => level + 2;

/**
 * Finds the files. A hard-linked one counts by any of its names, in the order of the options.
 *
 * @throws E_OPTION_VALUE where a glob matches no file
 */
export function chosenCompressions(
  plan: Plan,
  own: NativeCompression,
  { store = [], compress = [] }: PerPath,
): ChosenCompressions {
  const found: ChosenCompressions = { compressions: [own], chosen: new Map() };
  if (store.length + compress.length === 0) return found;
  const chosen = new Map<number, number>();
  const choose = (key: "store" | "compress", glob: string, compression: NativeCompression) => {
    const files = filesOf(plan, glob);
    if (files.length === 0) {
      throw errors.globMatchesNothing(key, glob, "file");
    }
    const index = indexOf(found.compressions, compression);
    for (const number of files) chosen.set(number, index);
  };
  for (const { glob, level } of compress) {
    const tag = level === own.level ? own.tag : tagOf(level);
    choose("compress", glob, { ...own, level, tag });
  }
  for (const glob of store) choose("store", glob, stored(own));
  return { ...found, chosen };
}

/** Index of what stores as it is, which is added to the ways to compress where it is not there. */
export function storing({ compressions }: ChosenCompressions): number {
  const [own] = compressions as [NativeCompression];
  return indexOf(compressions, stored(own));
}

const stored = (own: NativeCompression): NativeCompression => ({
  ...own,
  codec: "none",
  level: 0,
  tag: STORED,
});

function indexOf(compressions: NativeCompression[], wanted: NativeCompression): number {
  const known = compressions.findIndex(({ tag }) => tag === wanted.tag);
  return known < 0 ? compressions.push(wanted) - 1 : known;
}

function filesOf({ directories, entries, inodes }: Plan, glob: string): number[] {
  const matches = exclusion([glob]);
  const found: number[] = [];
  for (const { path, first, end } of directories) {
    for (let row = first; row < end; row++) {
      const number = entries.number(row);
      if (inodes.node(number).kind !== "file") continue;
      const name = joinPath(path, entries.name(row));
      if (matches(Buffer.from(name, "latin1").toString("utf8"))) found.push(number);
    }
  }
  return found;
}
