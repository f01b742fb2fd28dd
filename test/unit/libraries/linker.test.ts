import path from "node:path";
import { describe, expect, test } from "vitest";
import { treeFromDirectory } from "../../../builder/input/add-directory.ts";
import { ElfFiles, type ElfObject, treeObjects } from "../../../builder/libraries/elf-objects.ts";
import { Linker } from "../../../builder/libraries/linker.ts";
import { type Files, writeFiles } from "../../support/case.ts";
import { makeDynamicElf, makeProgram } from "../../support/dynamic-elf.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const library = makeDynamicElf({ soname: "libx.so.1" });

/** A machine with `app/` as the folder that is packed; the rest is the sysroot. */
async function machine(files: Files) {
  const root = temporaryDirectory();
  writeFiles(root, files);
  const tree = await treeFromDirectory(path.join(root, "app"));
  for (const { path: at, node } of tree.walk()) if (at.startsWith("bin/")) node.mode = 0o755;
  const elf = new ElfFiles("x86_64");
  const objects = await treeObjects(tree, elf);
  const linker = new Linker(tree, objects, elf, root);
  const object = (name: string) => objects.find(({ path: at }) => at === name) as ElfObject;
  const find = async (name: string, ...chain: string[]) => {
    const found = await linker.find(name, chain.map(object));
    if (found.kind === "machine") return `/${path.relative(root, found.object.file)}`;
    if (found.kind !== "tree") return found.kind;
    return `${found.led ? "led" : found.folder} ${found.object.path}`;
  };
  return { find, linker, root };
}

describe("a library", () => {
  test("is found by DT_RPATH of who asks, then of who loaded it, in the tree", async () => {
    const { find } = await machine({
      "app/bin/p": makeProgram({ rpath: "$ORIGIN/../a:${ORIGIN}/../b" }),
      "app/a/liby.so": makeDynamicElf({ rpath: "$ORIGIN" }),
      "app/a/libx.so.1": library,
      "app/b/libx.so.1": library,
      "app/b/libz.so": library,
    });
    expect(await find("libx.so.1", "bin/p")).toBe("led a/libx.so.1");
    expect(await find("libz.so", "bin/p")).toBe("led b/libz.so");
    expect(await find("libz.so", "a/liby.so", "bin/p")).toBe("led b/libz.so");
    expect(await find("libz.so", "a/liby.so")).toBe("b b/libz.so");
  });

  test("is found by DT_RUNPATH of who asks alone, which switches DT_RPATH off", async () => {
    const { find } = await machine({
      "app/bin/p": makeProgram({ rpath: "$ORIGIN/../a" }),
      "app/bin/q": makeProgram({ rpath: "$ORIGIN/../a", runpath: "$ORIGIN/../b" }),
      "app/b/liby.so": makeDynamicElf({ runpath: "$ORIGIN/gone" }),
      "app/a/libx.so.1": library,
      "app/b/libx.so.1": library,
    });
    expect(await find("libx.so.1", "bin/q")).toBe("led b/libx.so.1");
    expect(await find("libx.so.1", "b/liby.so", "bin/p")).toMatch(/^a a\/libx/);
  });

  test("is found on the machine: by its search path, then in the system's folders", async () => {
    const { find } = await machine({
      "app/bin/p": makeProgram({ runpath: "/opt/$LIB:/opt/$PLATFORM" }),
      "opt/lib/libx.so.1": library,
      "opt/x86_64/liby.so": library,
      "etc/ld.so.conf": "/srv/lib\n",
      "srv/lib/libx.so.1": library,
      "usr/lib/libx.so.1": library,
      "usr/lib/libz.so": library,
    });
    expect(await find("libx.so.1", "bin/p")).toBe("/opt/lib/libx.so.1");
    expect(await find("liby.so", "bin/p")).toBe("/opt/x86_64/liby.so");
    expect(await find("libz.so", "bin/p")).toBe("/usr/lib/libz.so");
    expect(await find("libx.so.1")).toBe("/srv/lib/libx.so.1");
  });

  test("for another machine, or that is none, is passed by", async () => {
    const { find } = await machine({
      "app/bin/p": makeProgram({ runpath: "/opt/a:/opt/b:/opt/c" }),
      "opt/a/libx.so.1": makeDynamicElf({ machine: 183 }),
      "opt/b/libx.so.1": "INPUT(libx.so.2)\n",
      "opt/c/libx.so.1": library,
    });
    expect(await find("libx.so.1", "bin/p")).toBe("/opt/c/libx.so.1");
  });

  test("in the tree goes before one of the system, also behind a link elsewhere", async () => {
    const { find } = await machine({
      "app/bin/p": makeProgram(),
      "app/real/libx.so.1.0": library,
      "app/names/libx.so.1": { link: "../real/libx.so.1.0" },
      "usr/lib/libx.so.1": library,
    });
    expect(await find("libx.so.1", "bin/p")).toBe("names real/libx.so.1.0");
  });

  test("of the target's own is the target's, unless the app leads to one, or one is wanted", async () => {
    const { find, linker } = await machine({
      "app/bin/p": makeProgram({ rpath: "$ORIGIN/../lib" }),
      "app/lib/libGL.so.1": library,
      "usr/lib/libEGL.so.1": library,
    });
    expect(await find("libGL.so.1", "bin/p")).toBe("led lib/libGL.so.1");
    expect(await find("libEGL.so.1", "bin/p")).toBe("target");
    expect(await linker.find("libEGL.so.1", [], true)).toMatchObject({ kind: "machine" });
  });

  test("that is nowhere says where it was looked for, one by its path too", async () => {
    const { linker, root } = await machine({
      "app/bin/p": makeProgram({ runpath: "/opt/lib:relative" }),
      "usr/lib/other": "",
    });
    const looked = [path.join(root, "opt/lib"), path.join(root, "usr/lib")];
    const facts = { runpath: ["/opt/lib", "relative"], rpath: [] };
    const asking = { shown: "p", file: "/p", facts } as unknown as ElfObject;
    expect(await linker.find("libx.so.1", [asking])).toEqual({ kind: "missing", looked });
    const there = [path.join(root, "opt")];
    expect(await linker.find("/opt/libx.so.1", [asking])).toEqual({
      kind: "missing",
      looked: there,
    });
  });

  test("of a program of musl is looked for in musl's folders", async () => {
    const { find } = await machine({
      "app/bin/p": makeDynamicElf({ interpreter: "/lib/ld-musl-x86_64.so.1" }),
      "usr/local/lib/libx.so.1": library,
    });
    expect(await find("libx.so.1", "bin/p")).toBe("/usr/local/lib/libx.so.1");
    expect(await find("libx.so.1")).toBe("missing");
  });
});
