/**
 * Trees that look random, written by us and read by others: whatever a tree holds, every reader shows it.
 *
 * FUSELAGE_TREES says how many (500, which take about a minute), FUSELAGE_FIRST_TREE the number of the first; a tree
 * is made by its number alone. FUSELAGE_UNSQUASHFS names another unsquashfs beside the system's. `npm run property`
 * tries 20,000 trees.
 */
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, vi } from "vitest";
import type { WriteOptions } from "../../builder/squashfs/squashfs-options.ts";
import { writeSquashfs } from "../../builder/squashfs/writer.ts";
import type { Snapshot } from "../support/image.ts";
import { imageReaders, type Reader, type Shown } from "../support/image-readers.ts";
import { missing, type Need, skipUnless } from "../support/needs.ts";
import { trials } from "../support/random.ts";
import { randomTree } from "../support/random-tree.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const COUNT = Number(process.env["FUSELAGE_TREES"] ?? 500);
const FIRST = Number(process.env["FUSELAGE_FIRST_TREE"] ?? 0);
const OTHERS = process.env["FUSELAGE_UNSQUASHFS"];
/** Trees in one test, which are mounted at once. */
const BATCH = 10;
const needs: readonly Need[] = [
  ...["root", "loop", "fuse", "unsquashfs", "squashfuse", "xattrs"],
] as Need[];

const settings: readonly WriteOptions[] = [
  { compression: "zstd", level: 1 },
  { compression: "gzip", level: 1 },
  { compression: "lz4" },
  { compression: "xz", level: 0 },
  { compression: "none" },
];

let readers: Reader[];
let top: string;

// Among them may be large ones, and others may use the processors.
vi.setConfig({ testTimeout: 600_000 });

beforeAll(() => {
  if (needs.every((need) => missing(need) === undefined))
    readers = imageReaders(OTHERS === undefined ? [] : [OTHERS]);
  top = temporaryDirectory();
});

/** Attributes have no order. */
const sorted = (value: Snapshot[keyof Snapshot] | undefined): unknown =>
  typeof value === "object" ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)) : value;

const isSame = (a: Snapshot[keyof Snapshot] | undefined, b: typeof a) =>
  a === b || (typeof a === "object" && JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));

/** The first paths that differ, with what differs of them; a whole tree would be thousands of lines. */
function differences(expected: Shown, shown: Shown, unlike: Reader["unlike"]) {
  const found: Record<string, unknown> = {};
  for (const at of new Set([...Object.keys(expected), ...Object.keys(shown)])) {
    const [one, other] = [expected[at], shown[at]] as const;
    const keys = Object.keys(one ?? other ?? {}) as (keyof Snapshot)[];
    for (const key of keys.filter((key) => !unlike.includes(key))) {
      if (!isSame(one?.[key], other?.[key])) found[`${at}: ${key}`] = [one?.[key], other?.[key]];
    }
    if (Object.keys(found).length > 5) break;
  }
  return found;
}

/** Trees by their numbers, written to `dir`. */
async function writeTrees(dir: string, count: number, first: number) {
  const expected: Shown = {};
  const written: Record<string, WriteOptions> = {};
  for (const [index, random] of trials(count, first)) {
    const blockSize = [4096, 4096, 4096, 8192, 131_072][random.below(5)] ?? 4096;
    const chosen = { ...settings[random.below(settings.length)], blockSize };
    const made = randomTree(random, blockSize);
    // What shares fragments, and what has one, is not for readers to know.
    const arranged: WriteOptions = {
      ...chosen,
      order: random.below(3) === 0 ? "similarity" : "directory",
      fragments: (["all", "all", "small", "none"] as const)[random.below(4)] ?? "all",
    };
    const options: WriteOptions = { ...arranged, mtime: "keep", owners: "keep" };
    await writeSquashfs(made.tree, { path: path.join(dir, `${index}.sfs`) }, options);
    written[index] = arranged;
    const named = (at: string) => (at === "" ? `${index}` : `${index}/${at}`);
    for (const [at, entry] of Object.entries(made.expected))
      expected[named(at)] = { ...entry, links: named(entry.links) };
  }
  return { expected, written };
}

describe("the kernel, unsquashfs, squashfuse and our readers show what was written", () => {
  for (let first = FIRST; first < FIRST + COUNT; first += BATCH) {
    const count = Math.min(BATCH, FIRST + COUNT - first);
    skipUnless(...needs)(`trees ${first} to ${first + count - 1}`, async () => {
      const dir = path.join(top, `${first}`);
      mkdirSync(dir);
      const { expected, written } = await writeTrees(dir, count, first);
      const names = Object.keys(written);
      for (const { name, unlike, read } of readers) {
        const found = differences(expected, await read(dir, names), unlike);
        // The first component of a path is the number of its tree.
        const [tree = ""] = (Object.keys(found)[0] ?? "").split(/[/:]/);
        const again = `npm run property -- --trees 1 --first ${tree}`;
        const where = tree === "" ? {} : { again, ...written[tree] };
        expect({ reader: name, ...where, found }).toEqual({ reader: name, found: {} });
      }
      rmSync(dir, { recursive: true });
    });
  }
});
