import { describe, expect, test } from "vitest";
import { makeDynamicElf, makeProgram } from "../../support/dynamic-elf.ts";
import { link, paths, runPath } from "../../support/linked.ts";

describe("libraries that are packed", () => {
  test("are those that are needed in turn, each led to from where it is needed", async () => {
    const { tree } = await link({
      "app/bin/deep/p": makeProgram({ needed: ["liba.so", "libc.so.6"], runpath: "/opt/gone" }),
      "app/bin/q": makeProgram({ needed: ["libc.so.6"] }),
      "usr/lib/liba.so": makeDynamicElf({ needed: ["libb.so", "libc.so.6"], rpath: "/opt/b" }),
      "opt/b/libb.so": makeDynamicElf({ needed: ["libc.so.6"] }),
      "usr/lib/libc.so.6": makeDynamicElf(),
    });
    expect(paths(tree).filter((at) => at.includes(".so"))).toEqual([
      "lib/bundled/liba.so",
      "lib/bundled/libb.so",
    ]);
    expect(await runPath(tree, "bin/deep/p")).toEqual(["$ORIGIN/../../lib/bundled"]);
    expect(await runPath(tree, "lib/bundled/liba.so")).toEqual(["$ORIGIN"]);
    expect(await runPath(tree, "lib/bundled/libb.so")).toEqual([]);
    expect(await runPath(tree, "bin/q")).toEqual([]);
  });

  test("leave search paths inside of the tree as they are", async () => {
    const { tree } = await link({
      "app/bin/p": makeProgram({
        needed: ["libown.so", "liba.so"],
        runpath: "$ORIGIN/../own:/opt/x:$ORIGIN/../../out:${ORIGIN}/more:$ORIGINAL",
      }),
      "app/own/libown.so": makeDynamicElf(),
      "usr/lib/liba.so": makeDynamicElf(),
    });
    const kept = ["$ORIGIN/../own", "${ORIGIN}/more"];
    expect(await runPath(tree, "bin/p")).toEqual([...kept, "$ORIGIN/../lib/bundled"]);
  });

  test("leave search paths as they are that a map leads into the tree", async () => {
    const { tree, warnings } = await link(
      {
        "app/bin/p": makeProgram({
          needed: ["libown.so", "liba.so"],
          runpath: "/opt/x/lib:/opt/xy/lib:/srv/y:/opt/x/../z",
        }),
        "app/own/libown.so": makeDynamicElf(),
        "usr/lib/liba.so": makeDynamicElf(),
      },
      { withLibs: true, maps: ["own=/opt/x/lib", "own=?/srv/y"] },
    );
    expect(await runPath(tree, "bin/p")).toEqual(["/opt/x/lib", "$ORIGIN/../lib/bundled"]);
    expect(warnings).toEqual([]);
  });

  test("are one file under all the names that are asked for", async () => {
    const { tree } = await link({
      "app/bin/p": makeProgram({ needed: ["liba.so", "liba.so.1"] }),
      "usr/lib/liba.so": { link: "liba.so.1" },
      "usr/lib/liba.so.1": makeDynamicElf(),
    });
    expect(tree.get("lib/bundled/liba.so")).toMatchObject({ kind: "file" });
    expect(tree.get("lib/bundled/liba.so.1")).toMatchObject({ kind: "symlink", target: "liba.so" });
  });

  test("of one name are two where two programs mean different ones", async () => {
    const { tree, warnings } = await link({
      "app/bin/p": makeProgram({ needed: ["liba.so"], runpath: "/opt/1" }),
      "app/bin/q": makeProgram({ needed: ["liba.so"], runpath: "/opt/2" }),
      "app/bin/r": makeProgram({ needed: ["liba.so"], runpath: "/opt/link" }),
      "opt/1/liba.so": makeDynamicElf({ needed: ["libb.so"], runpath: "/opt/1" }),
      "opt/2/liba.so": makeDynamicElf({ needed: ["libb.so"], runpath: "/opt/1" }),
      "opt/link": { link: "2" },
      "opt/1/libb.so": makeDynamicElf(),
    });
    expect(warnings).toEqual([]);
    expect(await runPath(tree, "bin/p")).toEqual(["$ORIGIN/../lib/bundled"]);
    expect(await runPath(tree, "bin/q")).toEqual(["$ORIGIN/../lib/bundled/2"]);
    expect(await runPath(tree, "bin/r")).toEqual(["$ORIGIN/../lib/bundled/2"]);
    expect(await runPath(tree, "lib/bundled/liba.so")).toEqual(["$ORIGIN"]);
    expect(await runPath(tree, "lib/bundled/2/liba.so")).toEqual(["$ORIGIN/.."]);
  });

  test("by --lib are led to from every program, and bring --with-libs along", async () => {
    const { tree } = await link(
      {
        "app/bin/p": makeProgram({ needed: ["libc.so.6"] }),
        "usr/lib/libplugin.so": makeDynamicElf({ needed: ["libdeep.so"] }),
        "usr/lib/libdeep.so": makeDynamicElf(),
      },
      { libs: ["libplugin.so"] },
    );
    expect(paths(tree)).toContain("lib/bundled/libdeep.so");
    expect(await runPath(tree, "bin/p")).toEqual(["$ORIGIN/../lib/bundled"]);
  });

  test("may be of the graphics card by --lib, and are then led to as any other", async () => {
    const files = {
      "app/bin/p": makeProgram({ needed: ["libGL.so.1"] }),
      "usr/lib/libGL.so.1": makeDynamicElf(),
    };
    expect(paths((await link(files)).tree)).not.toContain("lib/bundled/libGL.so.1");
    const { tree } = await link(files, { libs: ["libGL.so.1"] });
    expect(await runPath(tree, "bin/p")).toEqual(["$ORIGIN/../lib/bundled"]);
  });

  test("that a program needs and that are missing are an error; of a plugin a warning", async () => {
    const plugin = {
      "app/bin/p": makeProgram(),
      "app/x/plugin.so": makeDynamicElf({ needed: ["libno.so"] }),
    };
    expect((await link(plugin)).warnings).toEqual([
      "x/plugin.so needs libno.so, which is not on this machine either [W_LIBRARY_MISSING]",
    ]);
    const needed = ["libno.so", "libyet.so"];
    await expect(link({ "app/bin/p": makeProgram({ needed }) })).rejects.toMatchObject({
      code: "E_LIBRARY_MISSING",
      path: "libno.so",
      message: expect.stringContaining("libyet.so (for bin/p)"),
      expected: expect.stringContaining("for bin/p in"),
    });
  });
});

describe("what is said of libraries", () => {
  test("names what the target must have, and the newest versions", async () => {
    const { explain, warnings } = await link(
      {
        "app/bin/p": makeProgram({
          needed: ["liba.so", "libGL.so.1"],
          versions: { "libc.so.6": ["GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.9"], "liba.so": ["A_1.2"] },
        }),
        "usr/lib/liba.so": makeDynamicElf(),
      },
      {},
    );
    expect(explain).toEqual([
      "dynamic linker: /lib64/ld-linux-x86-64.so.2, the target's",
      "version: glibc of the target with GLIBC_2.34 or newer, for bin/p",
      "version: liba.so of the target with A_1.2 or newer, for bin/p",
      "library: liba.so, for bin/p: the target's, --with-libs would pack it",
      expect.stringMatching(/^library: libGL\.so\.1, for bin\/p: the target's, because OpenGL/),
    ]);
    expect(warnings).toEqual([
      expect.stringMatching(/^bin\/p needs GLIBC_2\.34, .* have 2\.31.* \[W_GLIBC_VERSION\]$/),
      "the target must have liba.so; --with-libs packs them [W_LIBRARY_TARGET]",
      expect.stringMatching(
        /^the target must have libGL\.so\.1 \(for bin\/p\): .*\[W_LIBRARY_HOST\]$/,
      ),
    ]);
  });

  test("takes DT_RELR for the glibc that it came with, and names what is private", async () => {
    const { warnings } = await link({
      "app/bin/p": makeProgram({
        versions: { "libc.so.6": ["GLIBC_ABI_DT_RELR", "GLIBC_PRIVATE"] },
      }),
    });
    expect(warnings).toEqual([
      "bin/p uses what is private to this machine's libc.so.6 [W_LIBRARY_PRIVATE]",
      expect.stringContaining("GLIBC_2.36"),
    ]);
  });

  test("warns of a linker at a place of its own, and of libraries that are asked for by a path", async () => {
    const { warnings } = await link(
      {
        "app/bin/p": makeDynamicElf({
          interpreter: "/nix/store/x/ld-linux-x86-64.so.2",
          needed: ["/opt/liba.so"],
        }),
        "opt/liba.so": makeDynamicElf(),
      },
      {},
    );
    const musl = await link({
      "app/bin/p": makeDynamicElf({ interpreter: "/lib/ld-musl-x86_64.so.1" }),
      "app/bin/q": makeDynamicElf(),
    });
    expect(musl.warnings).toEqual([expect.stringContaining("need musl")]);
    expect(musl.explain).toContain("bin/q: linked statically");
    expect(warnings).toEqual([
      expect.stringContaining("/nix/store/x/ld-linux-x86-64.so.2, which is at this path on few"),
      "the target must have liba.so; --with-libs packs them [W_LIBRARY_TARGET]",
      "bin/p needs /opt/liba.so by this path, which the target must have; --with-libs lets it ask for the name [W_LIBRARY_PATH]",
    ]);
  });

  test("warns where no search path leads to a library of the folder", async () => {
    const files = {
      "app/bin/p": makeProgram({ needed: ["libown.so"] }),
      "app/own/libown.so": makeDynamicElf(),
    };
    const without = await link(files, {});
    expect(without.warnings).toEqual([
      expect.stringMatching(/^bin\/p needs .* leads to own\/libown/),
    ]);
    const packed = await link(files);
    expect(packed.warnings).toEqual([]);
    expect(await runPath(packed.tree, "bin/p")).toEqual(["$ORIGIN/../own"]);
  });
});
