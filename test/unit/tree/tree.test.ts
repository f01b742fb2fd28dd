import { expect, test } from "vitest";
import { directoryNode, fileNode, symlinkNode } from "../../../builder/tree/node.ts";
import { addEntry, sortedEntries, Tree } from "../../../builder/tree/tree.ts";

const invalid = expect.objectContaining({ code: "E_PATH_INVALID" });

test("adding makes the directories that are missing", () => {
  const tree = new Tree({ mode: 0o700 });
  const file = fileNode("x");
  tree.add("a/b/c", file);
  expect(tree.root.mode).toBe(0o700);
  expect(tree.get("a/b/c")).toBe(file);
  expect(tree.get("a/b")).toMatchObject({ kind: "directory", mode: 0o755 });
  expect(tree.get("")).toBe(tree.root);
  expect(tree.get("a/x")).toBeUndefined();
  expect(tree.get("a/b/c/d")).toBeUndefined();
});

test("nothing is replaced, and nothing stands below what is no directory", () => {
  const tree = new Tree();
  tree.add("file", fileNode("x"));
  expect(() => tree.add("file", fileNode("y"))).toThrow(invalid);
  expect(() => tree.add("file/below", fileNode("y"))).toThrow(invalid);
  expect(() => tree.add("", directoryNode())).toThrow(invalid);
});

test("names and targets are checked on the way in", () => {
  const tree = new Tree();
  for (const path of ["/abs", "a/../b", "a//b", "."]) {
    expect(() => tree.add(path, fileNode("x"))).toThrow(invalid);
  }
  expect(() => tree.add("link", symlinkNode(""))).toThrow(invalid);
  expect(() => addEntry(tree.root, "a/b", fileNode("x"), "a/b")).toThrow(invalid);
});

test("walking goes through parents first, names in byte order", () => {
  const tree = new Tree();
  const linked = fileNode("x");
  for (const path of ["b/2", "a", "b/1", "b-", "\xff", "Z"]) tree.add(path, fileNode(path));
  tree.add("b/link", linked);
  tree.add("c", linked);
  expect([...tree.walk()].map(({ path }) => path)).toEqual([
    "",
    "Z",
    "a",
    "b",
    "b/1",
    "b/2",
    "b/link",
    "b-",
    "c",
    "\xff",
  ]);
  expect(tree.get("c")).toBe(tree.get("b/link"));
});

test("entries are sorted by bytes, not by language", () => {
  const directory = directoryNode();
  for (const name of ["a", "B", "\xe9", "z", "-"]) directory.entries.set(name, fileNode(name));
  expect(sortedEntries(directory).map(([name]) => name)).toEqual(["-", "B", "a", "z", "\xe9"]);
});

test("directories are at most 250 levels deep", () => {
  const code = "E_TREE_DEPTH";
  const levels = (count: number) => Array(count).fill("d").join("/");
  const tree = new Tree();
  tree.add(levels(250), directoryNode());
  tree.add(`${levels(250)}/file`, fileNode("x"));
  const deep = () => tree.add(levels(251), directoryNode());
  expect(deep).toThrow(expect.objectContaining({ code, actual: "251" }));
  const file = () => tree.add(`${levels(251)}/file`, fileNode("x"));
  expect(file).toThrow(expect.objectContaining({ code }));
});

test("a deep tree is walked without recursion", () => {
  const tree = new Tree();
  let directory = tree.root;
  for (let i = 0; i < 20_000; i++) {
    const next = directoryNode();
    directory.entries.set("d", next);
    directory = next;
  }
  let count = 0;
  for (const _ of tree.walk()) count++;
  expect(count).toBe(20_001);
});
