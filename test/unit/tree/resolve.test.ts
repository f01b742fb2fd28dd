import { describe, expect, test } from "vitest";
import { fileNode, symlinkNode } from "../../../builder/tree/node.ts";
import { resolvePath } from "../../../builder/tree/resolve.ts";
import { Tree } from "../../../builder/tree/tree.ts";

function tree(): Tree {
  const made = new Tree();
  made.add("lib/real.so.1", fileNode("x"));
  made.add("lib/name.so", symlinkNode("real.so.1"));
  made.add("bin/up", symlinkNode("../lib/name.so"));
  made.add("out", symlinkNode("../../etc"));
  made.add("root", symlinkNode("/etc"));
  made.add("a", symlinkNode("b"));
  made.add("b", symlinkNode("a"));
  return made;
}

describe("a path in a tree", () => {
  test.each([
    ["bin/up", "lib/real.so.1"],
    ["./bin//../lib/name.so", "lib/real.so.1"],
    ["lib/", "lib"],
    ["", ""],
  ])("%j leads to %j", (path, found) => {
    expect(resolvePath(tree(), path)).toMatchObject({ path: found });
  });

  test.each([
    ["gone", { missing: true }],
    ["lib/real.so.1/x", { missing: true }],
    ["..", { outside: 'through ".."' }],
    ["out/passwd", { outside: 'through ".." in a symbolic link' }],
    ["root/passwd", { outside: "through a symbolic link to /etc", target: "/etc/passwd" }],
    ["a", { loop: true }],
  ])("%j fails as %j", (path, how) => {
    expect(resolvePath(tree(), path)).toEqual(how);
  });
});
