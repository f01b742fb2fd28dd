/** Libraries that no bare name in DT_NEEDED says. */
import path from "node:path";
import { describe, expect, test } from "vitest";
import { makeDynamicElf, makeProgram } from "../../support/dynamic-elf.ts";
import { asked, link, paths, runPath } from "../../support/linked.ts";

describe("a library that is asked for by a path", () => {
  test("of the machine is packed, and asked for by its name", async () => {
    const { tree, warnings } = await link({
      "app/bin/p": makeProgram({
        needed: ["/opt/x/liba.so", "libc.so.6"],
        versions: { "/opt/x/liba.so": ["A_1"], "libc.so.6": ["GLIBC_2.4"] },
      }),
      "opt/x/liba.so": makeDynamicElf({ needed: ["libb.so"] }),
      "usr/lib/libb.so": makeDynamicElf(),
    });
    expect(warnings).toEqual([]);
    expect(await asked(tree, "bin/p")).toMatchObject({
      needed: ["liba.so", "libc.so.6"],
      of: ["liba.so", "libc.so.6"],
    });
    expect(await runPath(tree, "bin/p")).toEqual(["$ORIGIN/../lib/bundled"]);
    expect(paths(tree)).toContain("lib/bundled/libb.so");
  });

  test("that is relative is looked for beside who asks", async () => {
    const { tree } = await link({
      "app/bin/p": makeProgram({ needed: ["../own/liba.so", "./libb.so"] }),
      "app/own/liba.so": makeDynamicElf(),
      "app/bin/libb.so": makeDynamicElf(),
    });
    expect(await asked(tree, "bin/p")).toMatchObject({ needed: ["liba.so", "libb.so"] });
    expect(await runPath(tree, "bin/p")).toEqual(["$ORIGIN/../own", "$ORIGIN"]);
    expect(paths(tree).filter((at) => at.startsWith("lib"))).toEqual([]);
  });

  test("from its own place stays as it is, unless the path is another one elsewhere", async () => {
    const files = (name: string) => ({
      "app/bin/p": makeProgram({ needed: [name] }),
      "app/lib64/liba.so": makeDynamicElf(),
    });
    const same = await link(files("$ORIGIN/../lib64/liba.so"));
    expect(await asked(same.tree, "bin/p")).toMatchObject({ needed: ["$ORIGIN/../lib64/liba.so"] });
    const varies = await link(files("${ORIGIN}/../${LIB}/liba.so"));
    expect(await asked(varies.tree, "bin/p")).toMatchObject({ needed: ["liba.so"] });
    expect(await runPath(varies.tree, "bin/p")).toEqual(["$ORIGIN/../lib64"]);
  });

  test("of the libc is the target's under its name, and no search path is needed for that", async () => {
    const { tree } = await link({
      "app/bin/p": makeProgram({ needed: ["/lib/x86_64-linux-gnu/libm.so.6"] }),
    });
    expect(await asked(tree, "bin/p")).toMatchObject({ needed: ["libm.so.6"] });
    expect(await runPath(tree, "bin/p")).toEqual([]);
  });

  test("that is nowhere is an error, as any other", async () => {
    const files = { "app/bin/p": makeProgram({ needed: ["/opt/libno.so"] }) };
    await expect(link(files)).rejects.toMatchObject({
      code: "E_LIBRARY_MISSING",
      path: "/opt/libno.so",
      expected: expect.stringMatching(/for bin\/p in .*\/opt$/),
    });
  });
});

describe("libraries that are found otherwise", () => {
  test("filters are packed; one that is optional may be missing", async () => {
    const files = (more: object) => ({
      "app/bin/p": makeProgram({ needed: ["liba.so"] }),
      "usr/lib/liba.so": makeDynamicElf({ auxiliary: ["libfast.so", "libno.so"], ...more }),
      "usr/lib/libfast.so": makeDynamicElf(),
      "usr/lib/libreal.so": makeDynamicElf(),
    });
    const { tree, warnings } = await link(files({ filters: ["/usr/lib/libreal.so"] }));
    expect(warnings).toEqual([]);
    const added = paths(tree).filter((at) => at.includes("bundled/"));
    expect(added.map((at) => path.basename(at))).toEqual(["liba.so", "libfast.so", "libreal.so"]);
    expect(await asked(tree, "lib/bundled/liba.so")).toMatchObject({
      filters: ["libreal.so", "libfast.so", "libno.so"],
    });
    await expect(link(files({ filters: ["libno.so"] }))).rejects.toMatchObject({
      code: "E_LIBRARY_MISSING",
    });
  });

  test.each(["$LIB", "${PLATFORM}"])("a folder by %s is named in full too", async (token) => {
    const folder = token === "$LIB" ? "lib64" : "x86_64";
    const { tree } = await link({
      "app/bin/p": makeProgram({ needed: ["liba.so"], runpath: `$ORIGIN/../${token}` }),
      [`app/${folder}/liba.so`]: makeDynamicElf(),
    });
    expect(await runPath(tree, "bin/p")).toEqual([`$ORIGIN/../${token}`, `$ORIGIN/../${folder}`]);
  });

  test.each(["pthread_exit", "pthread_cancel", "thrd_exit", "backtrace"])(
    "libgcc_s is led to by the program that %s is called in, or in a library of it",
    async (symbol) => {
      const calls = { undefinedSymbols: ["puts", symbol] };
      const gcc = { "usr/lib/libgcc_s.so.1": makeDynamicElf() };
      const program = makeProgram({ needed: ["libc.so.6"], ...calls });
      const one = await link({ "app/bin/p": program, ...gcc });
      expect(paths(one.tree)).toContain("lib/bundled/libgcc_s.so.1");
      expect(await runPath(one.tree, "bin/p")).toEqual(["$ORIGIN/../lib/bundled"]);
      const deep = await link({
        "app/bin/p": makeProgram({ needed: ["liba.so"] }),
        "app/lib/liba.so": makeDynamicElf({ needed: ["libc.so.6"], ...calls }),
        ...gcc,
      });
      expect(await runPath(deep.tree, "bin/p")).toContain("$ORIGIN/../lib/bundled");
      const without = await link({ "app/bin/p": program, ...gcc }, {});
      expect(without.warnings).toEqual([
        "the target must have libgcc_s.so.1; --with-libs packs them [W_LIBRARY_TARGET]",
      ]);
    },
  );

  test("libgcc_s of a plugin is led to by all programs, and named where there is none", async () => {
    const files = {
      "app/x/plugin.so": makeDynamicElf({ needed: ["libc.so.6"], undefinedSymbols: ["backtrace"] }),
      "usr/lib/libgcc_s.so.1": makeDynamicElf(),
    };
    const program = makeProgram({ needed: ["libc.so.6"] });
    const { tree } = await link({ "app/bin/p": program, "app/bin/q": program, ...files });
    expect(await runPath(tree, "bin/p")).toEqual(["$ORIGIN/../lib/bundled"]);
    expect(await runPath(tree, "bin/q")).toEqual(["$ORIGIN/../lib/bundled"]);
    const alone = await link(files);
    expect(alone.warnings).toEqual([
      "the target must have libgcc_s.so.1, for x/plugin.so (backtrace) [W_LIBRARY_OPENED]",
    ]);
  });

  test("musl unwinds by itself, and so does who has libgcc_s anyway", async () => {
    const calls = { undefinedSymbols: ["pthread_exit"] };
    const musl = await link({
      "app/bin/p": makeDynamicElf({
        interpreter: "/lib/ld-musl-x86_64.so.1",
        needed: ["libc.so"],
        ...calls,
      }),
      "usr/lib/libc.so": makeDynamicElf(),
      "usr/lib/libgcc_s.so.1": makeDynamicElf(),
    });
    expect(paths(musl.tree)).not.toContain("lib/bundled/libgcc_s.so.1");
    const cpp = await link({
      "app/bin/p": makeProgram({ needed: ["libgcc_s.so.1"], ...calls }),
      "app/lib/libgcc_s.so.1": makeDynamicElf(),
    });
    expect(paths(cpp.tree)).not.toContain("lib/bundled/libgcc_s.so.1");
  });

  test("modules of the libc are named, and stay the target's", async () => {
    const undefinedSymbols = ["iconv_open", "getaddrinfo"];
    const { explain, warnings } = await link({
      "app/bin/p": makeProgram({ needed: ["libc.so.6"], undefinedSymbols }),
    });
    expect(warnings).toEqual([]);
    const opened = explain.filter((line) => line.startsWith("opened by glibc: "));
    expect(opened.map((line) => line.split(":")[1]?.split(",")[0])).toEqual([
      " gconv/*.so",
      " libidn2.so.0",
      " libnss_*.so.*",
    ]);
  });
});

describe("names of libraries among a program's constants", () => {
  const opener = {
    needed: ["libc.so.6"],
    undefinedSymbols: ["dlopen"],
    constants:
      "x/libfar.so.3\0libone.so.1libtwo.so\0liblib%s.so libc.so.6\0notlibfoo.so\0libown.so\0",
  };
  const names = "libfar.so.3, libone.so.1, libtwo.so";

  test("are told where something opens libraries, and nobody packs them", async () => {
    const files = {
      "app/bin/p": makeProgram(opener),
      "app/bin/q": makeProgram({ ...opener, undefinedSymbols: [] }),
      "app/own/libown.so": makeDynamicElf(),
      "usr/lib/libone.so.1": makeDynamicElf(),
    };
    expect((await link(files)).warnings).toEqual([
      `bin/p may open ${names} itself, which the target must have then [W_LIBRARY_OPENED]`,
    ]);
    const { warnings } = await link(files, { libs: ["libone.so.1"] });
    expect(warnings).toEqual([expect.not.stringContaining("libone")]);
  });

  test("are told of libraries that are packed too", async () => {
    const { warnings } = await link({
      "app/bin/p": makeProgram({ needed: ["liba.so"] }),
      "usr/lib/liba.so": makeDynamicElf({ ...opener, soname: "libfar.so.3" }),
    });
    expect(warnings).toEqual([
      expect.stringMatching(/liba\.so may open libone\.so\.1, libown\.so, /),
    ]);
  });
});
