import { expect, test } from "vitest";
import { contentSize, directoryNode, fileNode, symlinkNode } from "../../../builder/tree/node.ts";

test("nodes have the usual modes and nobody's attributes", () => {
  expect(directoryNode()).toMatchObject({ kind: "directory", mode: 0o755, uid: 0, mtime: 0 });
  expect(fileNode("x")).toMatchObject({ kind: "file", mode: 0o644, gid: 0, xattrs: [] });
  expect(symlinkNode("t")).toMatchObject({ kind: "symlink", mode: 0o777, target: "t" });
  expect(fileNode("x", { mode: 0o4755, mtime: 7 })).toMatchObject({ mode: 0o4755, mtime: 7 });
});

test("a file's contents are text, bytes or something that is elsewhere", () => {
  expect(contentSize(fileNode("é").contents)).toBe(2);
  expect(contentSize(fileNode(new Uint8Array(5)).contents)).toBe(5);
  expect(contentSize(fileNode({ from: "image", size: 9 }).contents)).toBe(9);
});
