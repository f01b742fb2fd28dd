import { expect, test } from "vitest";
import { layoutOrder } from "../../../builder/squashfs/layout.ts";
import { planTree } from "../../../builder/squashfs/plan.ts";
import { fileNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";

const expected = [
  ".hidden",
  "top.js",
  "a/a.js",
  "a/z.js",
  "a/b.ts",
  "a/LICENSE",
  "a/b/c.js",
  "a-b/x",
];

test("directories stay in one piece, in them files of a kind are neighbours", () => {
  for (const paths of [expected.toSorted(), expected.toReversed()]) {
    const tree = new Tree();
    for (const path of paths) tree.add(path, fileNode(path));
    const plan = planTree(tree);
    expect([...layoutOrder(plan).files].map((number) => plan.inodes.path(number))).toEqual(
      expected,
    );
  }
});

test("what a start reads stands before all others, once and in its order", () => {
  const tree = new Tree();
  for (const path of expected) tree.add(path, fileNode(path));
  const plan = planTree(tree);
  const first = ["a-b/x", "a/a.js", "a-b/x", "a"].map((path) => tree.get(path) ?? tree.root);
  const ahead = ["a-b/x", "a/a.js"];
  const found = layoutOrder(plan, [...first, fileNode("of another tree")]);
  const rest = expected.filter((path) => !ahead.includes(path));
  expect([...found.files].map((number) => plan.inodes.path(number))).toEqual([...ahead, ...rest]);
  expect(found.ahead).toBe(2);
});
