import { describe, expect, test } from "vitest";
import { editTree } from "../../../builder/tree/edits.ts";
import { directoryNode, fileNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";

function treeOf(): Tree {
  const tree = new Tree();
  tree.add("bin/run", fileNode("#!/bin/sh\n", { mode: 0o640 }));
  tree.add("bin/.hidden", fileNode("", { mode: 0o600 }));
  tree.add("lib/data", fileNode("data", { mode: 0o664 }));
  tree.add("lib/sub", directoryNode({ mode: 0o700 }));
  return tree;
}

describe("entries", () => {
  test("are made with the folders that they need", () => {
    const tree = treeOf();
    editTree(tree, {
      dirs: ["/var/lib", "tmp=1777", "lib=0750", "odd=name=700"],
      files: ["/etc/hostname=box\n", "etc/key=a=b=c", "empty="],
      symlinks: ["etc/mtab=/proc/mounts"],
      mknod: ["dev/null=c:1:3", "dev/loop0=b:7:0", "./run/pipe=p"],
    });
    expect(tree.get("var/lib")).toMatchObject({ kind: "directory", mode: 0o755 });
    expect(tree.get("tmp")).toMatchObject({ mode: 0o1777 });
    expect(tree.get("lib")).toMatchObject({ mode: 0o750 });
    expect(tree.get("odd=name")).toMatchObject({ mode: 0o700 });
    const bytes = (path: string) => {
      const node = tree.get(path);
      return node?.kind === "file" && node.contents.from === "memory"
        ? Buffer.from(node.contents.bytes).toString()
        : undefined;
    };
    expect([bytes("etc/hostname"), bytes("etc/key"), bytes("empty")]).toEqual([
      "box\n",
      "a=b=c",
      "",
    ]);
    expect(tree.get("etc/mtab")).toMatchObject({ kind: "symlink", target: "/proc/mounts" });
    expect(tree.get("dev/null")).toMatchObject({ kind: "character-device", major: 1, minor: 3 });
    expect(tree.get("dev/loop0")).toMatchObject({ kind: "block-device", major: 7, minor: 0 });
    expect(tree.get("run/pipe")).toMatchObject({ kind: "fifo" });
  });

  test.each([
    [{ files: ["bin/run=other"] }, "E_PATH_INVALID"],
    [{ files: ["bin/run/below=x"] }, "E_PATH_INVALID"],
    [{ symlinks: ["lib=/usr/lib"] }, "E_PATH_INVALID"],
    [{ dirs: ["bin/run"] }, "E_PATH_INVALID"],
    [{ dirs: ["a/../b"] }, "E_PATH_INVALID"],
    [{ symlinks: ["a="] }, "E_PATH_INVALID"],
    [{ dirs: ["a=rwx"] }, "E_OPTION_VALUE"],
    [{ dirs: ["a=77777"] }, "E_OPTION_VALUE"],
    [{ files: ["name"] }, "E_OPTION_VALUE"],
    [{ files: ["=text"] }, "E_OPTION_VALUE"],
    [{ mknod: ["dev/null=c:1"] }, "E_OPTION_VALUE"],
    [{ mknod: ["dev/null=c:4096:0"] }, "E_OPTION_VALUE"],
    [{ mknod: ["dev/null=c:1:1048576"] }, "E_OPTION_VALUE"],
    [{ mknod: ["dev/null=s"] }, "E_OPTION_VALUE"],
  ])("%j is %s", (edits, code) => {
    expect(() => editTree(treeOf(), edits)).toThrow(expect.objectContaining({ code }));
  });
});

describe("permissions", () => {
  const mode = (chmod: string, path: string) => {
    const tree = treeOf();
    editTree(tree, { chmod: [chmod] });
    return tree.get(path)?.mode?.toString(8);
  };
  test.each([
    ["bin/*=755", "bin/run", "755"],
    ["bin/*=755", "bin/.hidden", "755"],
    ["bin/*=755", "bin", "755"],
    ["bin/run=4755", "bin/run", "4755"],
    ["/bin/run=+x", "bin/run", "751"],
    ["**=a+rX", "bin/run", "644"],
    ["**=a+rX", "lib/sub", "755"],
    ["lib/**=go-rwx", "lib/data", "600"],
    ["lib/data=u=rwx,g=,o=r", "lib/data", "704"],
    ["lib/data=u=rwX", "lib/data", "664"],
    ["bin/run=u+s,+t", "bin/run", "5640"],
    ["bin/run=g+s", "bin/run", "2640"],
  ])("%s: %s has %s", (change, path, expected) => {
    expect(mode(change, path)).toBe(expected);
  });
  test.each(["bin/run", "bin/run=", "bin/run=999", "bin/run=u+y", "no/such/file=755", "=755"])(
    "%s is refused",
    (change) => {
      expect(() => mode(change, "bin/run")).toThrow(
        expect.objectContaining({ code: "E_OPTION_VALUE" }),
      );
    },
  );
});
