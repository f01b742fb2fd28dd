/**
 * Reads in their order → a profile, by rules that make two recordings of one start, and of the next version
 * of the app, differ by little:
 *
 *   - A small file is read whole or not at all.
 *   - The order counts in parts, which grow with what has been read before. In a part a file stands once, at
 *     the place of its first use, with its ranges by offset: what is a few milliseconds apart may change places
 *     from start to start.
 *   - Ranges with little between them are one.
 */
import { PAGE_BYTES } from "../manifest/start-list.ts";
import type { ByteRange, Profile, ProfileRule } from "./profile.ts";

/** A use of pages of a file; without any, of all of it. */
export interface Use {
  /** In the image. Byte string. */
  readonly path: string;
  /** First page. */
  readonly first?: number | undefined;
  /** Pages. */
  readonly count?: number | undefined;
}

/** Files up to this size are taken whole, bytes: one block of an image by default. */
const SMALL_FILE = 131072;

/** Pages that may lie between two ranges that become one: 64 KiB. */
const GAP = 16;

/** Pages of the first part, and of the largest: 256 KiB and 2 MiB. */
const FIRST_PART = 64;
const LARGEST_PART = 512;

/** Pages of a file that are in the profile already. */
type Seen = Set<number> | "all";

/** @param sizes of files, bytes; one that is not known is taken by its pages */
export function makeProfile(uses: Iterable<Use>, sizes: ReadonlyMap<string, number>): Profile {
  const rules: ProfileRule[] = [];
  const seen = new Map<string, Seen>();
  let part = new Map<string, number[] | "all">();
  let pages = 0;
  let before = 0;
  const endPart = () => {
    for (const [path, used] of part) rules.push(ruleOf(path, used, seen));
    part = new Map();
    before += pages;
    pages = 0;
  };
  for (const { path, first, count = 1 } of uses) {
    const known = seen.get(path) ?? new Set<number>();
    if (known === "all") continue;
    const size = sizes.get(path);
    if (first === undefined || (size !== undefined && size <= SMALL_FILE)) {
      seen.set(path, "all");
      part.set(path, "all");
      pages += Math.ceil((size ?? SMALL_FILE) / PAGE_BYTES);
    } else {
      seen.set(path, known);
      const end = Math.min(first + count, Math.ceil((size ?? Infinity) / PAGE_BYTES));
      const used = part.get(path) ?? [];
      for (let page = first; page < end && used !== "all"; page++) {
        if (known.has(page)) continue;
        known.add(page);
        used.push(page);
        part.set(path, used);
        pages++;
      }
    }
    if (pages >= Math.min(Math.max(before, FIRST_PART), LARGEST_PART)) endPart();
  }
  endPart();
  return rules;
}

function ruleOf(path: string, used: number[] | "all", seen: ReadonlyMap<string, Seen>) {
  if (used === "all") return { path };
  const ranges: ByteRange[] = [];
  const known = seen.get(path);
  const sorted = [...used].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length; ) {
    const start = sorted[i] as number;
    let end = start + 1;
    for (i++; i < sorted.length && (sorted[i] as number) - end <= GAP; i++) {
      const next = sorted[i] as number;
      // What lies between comes along, and need not come again.
      if (known !== undefined && known !== "all") for (let p = end; p < next; p++) known.add(p);
      end = next + 1;
    }
    ranges.push({ start: start * PAGE_BYTES, end: end * PAGE_BYTES });
  }
  return { path, ranges };
}

/** A profile as uses of the files that it names. */
export function* usesOf(profile: Profile): Generator<Use> {
  for (const { path, ranges } of profile) {
    if (ranges === undefined) yield { path };
    for (const { start, end } of ranges ?? []) {
      const first = Math.floor(start / PAGE_BYTES);
      yield { path, first, count: Math.ceil(end / PAGE_BYTES) - first };
    }
  }
}

/** Pages that a whole file counts for where the order of several starts is made. */
const WHOLE = SMALL_FILE / PAGE_BYTES;

/** Several starts as one: by how much each has read before, and then by their order. */
export function interleave(starts: readonly Iterable<Use>[]): Use[] {
  const placed = starts.flatMap((uses, start) => {
    let before = 0;
    return Array.from(uses, (use, index) => {
      const at = before;
      before += use.first === undefined ? WHOLE : (use.count ?? 1);
      return { use, at, start, index };
    });
  });
  placed.sort((a, b) => a.at - b.at || a.start - b.start || a.index - b.index);
  return placed.map(({ use }) => use);
}
