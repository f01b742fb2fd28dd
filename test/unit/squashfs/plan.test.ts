import { expect, test } from "vitest";
import { planTree } from "../../../builder/squashfs/plan.ts";
import { directoryNode, fileNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";

function sample(): Tree {
  const tree = new Tree();
  const linked = fileNode("linked");
  tree.add("a/deep/file", fileNode("1"));
  tree.add("a/one", linked);
  tree.add("b", fileNode("2"));
  tree.add("c/two", linked);
  tree.add("c/empty", directoryNode());
  return tree;
}

test("inodes have the numbers 1..N, the root the last", () => {
  const tree = sample();
  const plan = planTree(tree);
  const numbers = Array.from({ length: 8 }, (_, i) => i + 1);
  const nodes = numbers.map((number) => plan.inodes.node(number));
  expect(nodes.map((node) => plan.inodes.number(node))).toEqual(numbers);
  expect(plan.inodes.node(8)).toBe(tree.root);
  expect(plan.inodes.size).toBe(8);
});

test("directories come after the directories in them", () => {
  const plan = planTree(sample());
  expect(plan.directories.map(({ path }) => path)).toEqual(["c/empty", "c", "a/deep", "a", ""]);
});

test("links are counted, hard links are one inode and one file", () => {
  const tree = sample();
  const plan = planTree(tree);
  const number = (path: string) => plan.inodes.number(tree.get(path) ?? tree.root) ?? 0;
  const links = (path: string) => plan.inodes.links(number(path));
  expect(links("a/one")).toBe(2);
  expect(plan.inodes.path(number("c/two"))).toBe("c/two");
  expect([links(""), links("a"), links("a/deep"), links("b")]).toEqual([4, 3, 2, 1]);
  expect(plan.files.length).toBe(3);
});

test("a directory with two names is refused, also one inside itself", () => {
  const twice = sample();
  const directory = twice.get("a/deep");
  if (directory !== undefined) twice.add("again", directory);
  expect(() => planTree(twice)).toThrow(expect.objectContaining({ code: "E_PATH_INVALID" }));
  const loop = new Tree();
  loop.add("d/self", loop.root);
  expect(() => planTree(loop)).toThrow(expect.objectContaining({ code: "E_PATH_INVALID" }));
});

test("a deep tree is planned without recursion", () => {
  const tree = new Tree();
  let directory = tree.root;
  for (let i = 0; i < 20_000; i++) {
    const next = directoryNode();
    directory.entries.set("d", next);
    directory = next;
  }
  expect(planTree(tree).inodes.size).toBe(20_001);
});
