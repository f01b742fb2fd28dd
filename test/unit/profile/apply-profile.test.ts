import { expect, test } from "vitest";
import { decodeStartList, START_LIMITS } from "../../../builder/manifest/start-list.ts";
import { hotOrder, matchProfile, startListOf } from "../../../builder/profile/apply-profile.ts";
import type { Profile } from "../../../builder/profile/profile.ts";
import { type FileNode, fileNode, symlinkNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";

const PAGE = 4096;

/** A tree of files by their sizes; numbers of inodes in this order, from 1. */
function treeOf(files: Record<string, number>) {
  const tree = new Tree();
  const numbers = new Map<FileNode, number>();
  for (const [path, size] of Object.entries(files)) {
    const node = fileNode({ from: "image", size });
    tree.add(path, node);
    numbers.set(node, numbers.size + 1);
  }
  return { tree, numberOf: (node: FileNode) => numbers.get(node) ?? 0 };
}

const pages = (first: number, last: number) => ({ start: first * PAGE, end: last * PAGE });

function runs(profile: Profile, files: Record<string, number>) {
  const { tree, numberOf } = treeOf(files);
  return startListOf(matchProfile(profile, tree).files, numberOf)?.runs.map(
    ({ number, first, count }) => [number, first, count],
  );
}

test("rules become runs, cut at the end of their file", () => {
  const profile = [
    { path: "b", ranges: [pages(2, 4), pages(8, 1000), pages(2000, 2001)] },
    { path: "a" },
    { path: "empty" },
  ];
  expect(runs(profile, { a: 5000, b: 10 * PAGE - 1, empty: 0 })).toEqual([
    [2, 2, 2],
    [2, 8, 2],
    [1, 0, 2],
  ]);
});

test("no page stands there twice, whatever rules say", () => {
  const profile = [
    { path: "a", ranges: [pages(10, 20), pages(5, 12), pages(0, 30), pages(7, 9)] },
    { path: "a" },
    { path: "a", ranges: [{ start: 1, end: 2 }] },
  ];
  expect(runs(profile, { a: 32 * PAGE })).toEqual([
    [1, 10, 10],
    [1, 5, 5],
    [1, 0, 5],
    [1, 20, 12],
  ]);
});

test("runs of one file that touch are one", () => {
  const profile = [
    { path: "a", ranges: [pages(0, 2), pages(2, 4)] },
    { path: "a", ranges: [pages(4, 6)] },
    { path: "b" },
    { path: "a", ranges: [pages(6, 7)] },
  ];
  expect(runs(profile, { a: 32 * PAGE, b: 1 })).toEqual([
    [1, 0, 6],
    [2, 0, 1],
    [1, 6, 1],
  ]);
});

test("a random profile names exactly the pages of its ranges", () => {
  let seed = 42;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let round = 0; round < 50; round++) {
    const ranges = Array.from({ length: 40 }, () => {
      const first = random(400);
      return pages(first, first + 1 + random(20));
    });
    const wanted = new Set<number>();
    for (const { start, end } of ranges) {
      for (let page = start / PAGE; page < Math.min(end / PAGE, 300); page++) wanted.add(page);
    }
    const found = (runs([{ path: "a", ranges }], { a: 300 * PAGE }) ?? []).flatMap(
      ([, first = 0, count = 0]) => Array.from({ length: count }, (_, i) => first + i),
    );
    expect(new Set(found).size).toBe(found.length);
    expect(new Set(found)).toEqual(wanted);
  }
});

test("links lead to their file, and what is no file is told", () => {
  const { tree, numberOf } = treeOf({ "lib/a.so.1": 1, other: 1 });
  tree.add("lib/a.so", symlinkNode("a.so.1"));
  tree.add("out", symlinkNode("/etc/passwd"));
  const profile = ["lib/a.so", "lib", "out", "gone", "lib/a.so.1", "gone"].map((path) => ({
    path,
  }));
  const matched = matchProfile(profile, tree);
  expect(matched.missing).toEqual(["lib", "out", "gone"]);
  expect(matched.paths).toBe(5);
  expect(hotOrder(matched.files).map(numberOf)).toEqual([1]);
  expect(startListOf([], numberOf)).toBeUndefined();
  expect(startListOf(matchProfile([{ path: "gone" }], tree).files, numberOf)).toBeUndefined();
});

test("a list that is too long joins near ranges, and then loses its end", () => {
  const alternating = (gap: number, count: number): Profile => [
    {
      path: "a",
      ranges: Array.from({ length: count }, (_, i) => pages(i * (gap + 1), i * (gap + 1) + 1)),
    },
  ];
  const list = (profile: Profile, files: Record<string, number>) => {
    const { tree, numberOf } = treeOf(files);
    return startListOf(matchProfile(profile, tree).files, numberOf);
  };
  const fits = list(alternating(8, START_LIMITS.runs), { a: 1e12 });
  expect([fits?.gap, fits?.cut, fits?.runs.length]).toEqual([0, 0, START_LIMITS.runs]);
  const near = list(alternating(8, START_LIMITS.runs + 1), { a: 1e12 });
  expect([near?.gap, near?.cut, near?.runs.length]).toEqual([8 * PAGE, 0, 1]);
  const far = list(alternating(2000, 20000), { a: 1e12 });
  expect(far?.cut).toBe(20000 - START_LIMITS.runs);
  // The start of it, in at most as many bytes.
  expect(far?.runs[1]).toEqual({ number: 1, first: 2001, count: 1 });
  const wide = Array.from({ length: 12000 }, (_, i) => ({
    path: i % 2 === 0 ? "a" : "b",
    ranges: [pages((i * 2 ** 20) % 2 ** 37, ((i * 2 ** 20) % 2 ** 37) + 200)],
  }));
  const long = list(wide, { a: 2 ** 50, b: 2 ** 50 });
  expect(long?.bytes.length).toBeLessThanOrEqual(START_LIMITS.bytes);
  expect(long?.bytes.length).toBeGreaterThan(START_LIMITS.bytes - 32);
  expect(long?.cut).toBe(12000 - (long?.runs.length ?? 0));
  expect(decodeStartList(long?.bytes ?? new Uint8Array())).toEqual(long?.runs);
});
