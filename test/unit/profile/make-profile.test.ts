import { expect, test } from "vitest";
import {
  interleave,
  makeProfile,
  type Use,
  usesOf,
} from "../../../builder/profile/make-profile.ts";
import { formatProfile } from "../../../builder/profile/text.ts";

const PAGE = 4096;
const MIB = 1 << 20;

const sizes = new Map([
  ["small", 100],
  ["limit", 131072],
  ["over", 131073],
  ["large", 64 * MIB],
  ["other", 64 * MIB],
]);

const use = (path: string, first: number, count = 1): Use => ({ path, first, count });
const made = (...uses: Use[]) =>
  formatProfile(makeProfile(uses, sizes)).toString().split("\n\n")[1]?.trimEnd().split("\n");

test("small files are whole, of large ones there are ranges", () => {
  expect(made(use("small", 0), use("limit", 31), use("over", 32), use("large", 5))).toEqual([
    "small",
    "limit",
    "over 128K-132K",
    "large 20K-24K",
  ]);
});

test("files stand in the order of their first use, ranges by offset", () => {
  expect(made(use("large", 500), use("small", 0), use("other", 3), use("large", 100))).toEqual([
    "large 400K-404K 2000K-2004K",
    "small",
    "other 12K-16K",
  ]);
});

test("ranges with up to 64 KiB between them are one", () => {
  expect(made(use("large", 0), use("large", 17))).toEqual(["large 0-72K"]);
  expect(made(use("large", 0), use("large", 18))).toEqual(["large 0-4K 72K-76K"]);
});

test("nothing is named twice, and nothing behind the end", () => {
  expect(made(use("large", 0, 8), use("large", 4, 8), use("small", 0), use("small", 0, 9))).toEqual(
    ["large 0-48K", "small"],
  );
  expect(made(use("over", 30, 100))).toEqual(["over 120K-132K"]);
  expect(made(use("over", 33, 100))).toEqual([""]);
});

test("what is used much later stands in a later rule, so that the order is not lost", () => {
  const uses = [use("large", 0, 64), use("small", 0), use("other", 0, 64), use("large", 1000, 4)];
  expect(made(...uses)).toEqual(["large 0-256K", "small", "other 0-256K", "large 4000K-4016K"]);
});

test("parts grow with what stands before, up to 2 MiB: a file of a part has one rule there", () => {
  const uses = Array.from({ length: 4096 }, (_, i) => use("large", i * 3));
  const profile = makeProfile(uses, sizes);
  const pages = profile.map(({ ranges = [] }) =>
    ranges.reduce((sum, { start, end }) => sum + (end - start) / PAGE, 0),
  );
  // Of three pages one is used; the two between come along.
  expect(pages.map((count) => Math.ceil(count / 3))).toEqual([
    64, 64, 128, 256, 512, 512, 512, 512, 512, 512, 512,
  ]);
});

test("starts that differ a little have the same profile", () => {
  const random = (seed: number) => () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  const next = random(7);
  const pages = Array.from({ length: 3000 }, () => Math.floor(next() * 16000));
  const base = pages.map((page) => use("large", page));
  // Neighbours change places within a part.
  const swapped = [...base];
  for (let i = 200; i + 1 < 250; i += 2) {
    [swapped[i], swapped[i + 1]] = [swapped[i + 1] as Use, swapped[i] as Use];
  }
  expect(makeProfile(swapped, sizes)).toEqual(makeProfile(base, sizes));
});

test("a profile of a profile names the same bytes", () => {
  const uses = Array.from({ length: 500 }, (_, i) => use(i % 3 === 0 ? "other" : "large", i * 7));
  const once = makeProfile(uses, sizes);
  const again = makeProfile(usesOf(once), sizes);
  const named = (profile: typeof once) =>
    profile
      .flatMap(({ path, ranges = [] }) =>
        ranges.flatMap(({ start, end }) =>
          Array.from({ length: (end - start) / PAGE }, (_, i) => `${path} ${start / PAGE + i}`),
        ),
      )
      .sort();
  expect(new Set(named(once)).size).toBe(named(once).length);
  expect(new Set([...named(once), ...named(again)]).size).toBeLessThanOrEqual(named(again).length);
});

test("several starts are one by how much each has read before", () => {
  const first = [use("a", 0, 10), use("b", 0, 10), use("c", 0)];
  const second = [use("x", 0, 5), use("y", 0, 10), use("z", 0)];
  const paths = interleave([first, second]).map(({ path }) => path);
  expect(paths).toEqual(["a", "x", "y", "b", "z", "c"]);
  expect(interleave([first])).toEqual(first);
  expect(interleave([])).toEqual([]);
});

test("a start that is merged with itself stays as it is", () => {
  const uses = Array.from({ length: 900 }, (_, i) => use("large", (i * 7919) % 16000));
  expect(makeProfile(interleave([uses, uses, uses]), sizes)).toEqual(makeProfile(uses, sizes));
});
