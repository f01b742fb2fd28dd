/** Whether a libc goes along, and which: by what the programs of an app need and what the machine has. */
import { describe, expect, test } from "vitest";
import type { BuildOptions } from "../../../../builder/config/build-options.ts";
import { Learned } from "../../../../builder/host/learned.ts";
import { treeFromDirectory } from "../../../../builder/input/add-directory.ts";
import { ElfFiles, treeObjects } from "../../../../builder/libraries/elf-objects.ts";
import { chooseLibc } from "../../../../builder/libraries/libc/choose-libc.ts";
import { findClosure } from "../../../../builder/libraries/library-closure.ts";
import { Linker } from "../../../../builder/libraries/linker.ts";
import { shownWarning } from "../../../../builder/warnings.ts";
import { type Files, writeFiles } from "../../../support/case.ts";
import { makeDynamicElf, makeProgram } from "../../../support/dynamic-elf.ts";
import { fakeGlibc } from "../../../support/fake-libc.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

interface Given extends Pick<BuildOptions, "libc" | "targetHas"> {
  /** Whether libraries go along too. */
  withLibs?: boolean;
  mode?: number;
}

/** Of `app/`, with the rest as the root of a machine. */
async function choose(files: Files, given: Given = {}) {
  const root = temporaryDirectory();
  writeFiles(root, files);
  const tree = await treeFromDirectory(`${root}/app`);
  for (const { path, node } of tree.walk())
    if (path.startsWith("bin/")) node.mode = given.mode ?? 0o755;
  const elf = new ElfFiles("x86_64");
  const objects = await treeObjects(tree, elf);
  const linker = new Linker(tree, objects, elf, root, given.targetHas);
  const { libcs, reasons, warnings } = await chooseLibc({
    tree,
    objects,
    options: { arch: "x86_64", ...given },
    closure: await findClosure(linker, objects, []),
    files: elf,
    sysroot: root,
    takesLibraries: given.withLibs ?? false,
    learned: new Learned(undefined, ""),
  });
  return {
    libcs: libcs.map(({ found, mode, versions, programs }) => ({
      libc: `${found.kind} ${found.version}`,
      build: found.build,
      parts: [found.loader, ...found.libraries].map(({ name }) => name),
      mode,
      versions,
      programs: programs.map(({ shown }) => shown),
    })),
    reasons,
    warnings: warnings.map(shownWarning),
  };
}

const needs = (...versions: string[]) => ({
  needed: ["libc.so.6"],
  versions: { "libc.so.6": versions },
});
const program = { "app/bin/p": makeProgram(needs("GLIBC_2.2.5", "GLIBC_2.31")) };

describe("auto", () => {
  test("packs it for programs that need nothing else", async () => {
    expect(await choose({ ...program, ...fakeGlibc() })).toEqual({
      libcs: [
        {
          libc: "glibc 2.34",
          build: "Test GLIBC 2.34-1",
          parts: ["ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6"],
          mode: "auto",
          versions: ["GLIBC_2.31"],
          programs: ["bin/p"],
        },
      ],
      reasons: [],
      warnings: [],
    });
  });

  test.each<[string, Files, Given, RegExp]>([
    [
      "a library that is not packed",
      {
        "app/bin/p": makeProgram({ needed: ["liba.so", "libc.so.6"] }),
        "lib/liba.so": makeDynamicElf(),
      },
      {},
      /^liba\.so, for bin\/p, is the target's too; --with-libs packs both$/,
    ],
    [
      "a library of the graphics card",
      { "app/bin/p": makeProgram({ needed: ["libGL.so.1", "libc.so.6"] }) },
      { withLibs: true },
      /^libGL\.so\.1, for bin\/p, is the target's too$/,
    ],
    [
      "a library that is said to be everywhere",
      {
        "app/bin/p": makeProgram({ needed: ["liba.so", "libc.so.6"] }),
        "lib/liba.so": makeDynamicElf(),
      },
      { withLibs: true, targetHas: ["liba.so"] },
      /^liba\.so, for bin\/p, is the target's too$/,
    ],
    [
      "a library that a plugin needs and that is nowhere",
      { ...program, "app/plugins/x.so": makeDynamicElf({ needed: ["libnone.so.3"] }) },
      { withLibs: true },
      /^libnone\.so\.3, for plugins\/x\.so, is not here$/,
    ],
    ["a libc that every target has", program, { targetHas: ["glibc-2.31"] }, /every target has/],
    [
      "a libc of the app's own",
      { ...program, "app/lib/libc.so.6": makeDynamicElf({ soname: "libc.so.6" }) },
      {},
      /^lib\/libc\.so\.6 is one already$/,
    ],
    [
      "a folder at its place",
      { ...program, "app/lib/libc/x": "y" },
      {},
      /something else at lib\/libc/,
    ],
    ["a link at its place", { ...program, "app/lib": { link: "lib64" } }, {}, /something else/],
  ])("leaves it to the target for %s", async (_, files, given, reason) => {
    const { libcs, reasons } = await choose({ ...files, ...fakeGlibc() }, given);
    expect(libcs).toEqual([]);
    expect(reasons).toEqual([expect.stringMatching(reason)]);
  });

  test("warns where there is none that would do", async () => {
    const none = await choose(program);
    expect(none.libcs).toEqual([]);
    expect(none.warnings).toEqual([
      expect.stringMatching(
        /the target must have glibc: .* has none for x86_64.*\[W_LIBC_TARGET\]$/,
      ),
    ]);
    const old = await choose({ ...program, ...fakeGlibc(["GLIBC_2.2.5", "GLIBC_2.28"]) });
    expect(old.warnings).toEqual([
      expect.stringMatching(/bin\/p needs GLIBC_2\.31, and the one in/),
    ]);
  });

  test.each<[string, Given, RegExp]>([
    ["set-user-ID", { mode: 0o4755 }, /W_LIBC_SETID/],
    ["set-group-ID", { mode: 0o2755 }, /W_LIBC_SETID/],
  ])("leaves a program to the target's that is %s, and says so", async (_, given, code) => {
    const { libcs, warnings } = await choose({ ...program, ...fakeGlibc() }, given);
    expect(libcs).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(code)]);
  });

  test("leaves those with a payload, compressed ones and unknown linkers, and takes the others", async () => {
    const usual = makeProgram(needs("GLIBC_2.2.5"));
    const { libcs, warnings } = await choose(
      {
        ...fakeGlibc(),
        "app/bin/a": usual,
        "app/bin/b": Buffer.concat([usual, Buffer.from("PAYLOAD of some packer")]),
        "app/bin/c": makeDynamicElf({ constants: "UPX!" }),
        "app/bin/d": makeDynamicElf({ interpreter: "/opt/bin/own-linker", needed: ["libown.so"] }),
        "app/bin/libown.so": makeDynamicElf(),
      },
      { withLibs: true },
    );
    expect(libcs.map(({ programs }) => programs)).toEqual([["bin/a"]]);
    expect(warnings.map((one) => one.replace(/ .*\[/s, " ["))).toEqual([
      "bin/b [W_LIBC_PAYLOAD]",
      "bin/c [W_LIBC_UPX]",
      "bin/d [W_LIBC_PROGRAM]",
    ]);
  });
});

describe("pack", () => {
  test("packs it in any case, and it is always used", async () => {
    const files = { "app/bin/p": makeProgram({ needed: ["libGL.so.1", "libc.so.6"] }) };
    const { libcs } = await choose({ ...files, ...fakeGlibc() }, { libc: "pack" });
    expect(libcs).toMatchObject([{ mode: "pack", programs: ["bin/p"] }]);
  });

  test.each<[string, Files, Given, object]>([
    [
      "none is here",
      program,
      {},
      { code: "E_LIBC_MISSING", expected: expect.stringMatching(/ld-linux/) },
    ],
    [
      "the program is newer",
      { ...program, ...fakeGlibc(["GLIBC_2.2.5"]) },
      {},
      { code: "E_LIBC_VERSION", path: "bin/p", expected: "GLIBC_2.31" },
    ],
    [
      "the sysroot is another machine's",
      { ...program, ...fakeGlibc(undefined, { machine: 183 }) },
      {},
      { code: "E_LIBC_MACHINE", expected: "x86_64", actual: "aarch64" },
    ],
    [
      "the program is set-user-ID",
      { ...program, ...fakeGlibc() },
      { mode: 0o4755 },
      { code: "E_LIBC_PROGRAM", path: "bin/p" },
    ],
    [
      "the program is compressed",
      { "app/bin/p": makeDynamicElf({ constants: "UPX!" }), ...fakeGlibc() },
      {},
      { code: "E_LIBC_PROGRAM", path: "bin/p" },
    ],
    [
      "its dynamic linker is of no libc",
      { "app/bin/p": makeProgram({ interpreter: "/no/where/start" }), ...fakeGlibc() },
      {},
      { code: "E_LIBC_PROGRAM", message: expect.stringMatching(/\/no\/where\/start/) },
    ],
  ])("fails where %s", async (_, files, given, failure) => {
    await expect(choose(files, { libc: "pack", ...given })).rejects.toMatchObject(failure);
  });

  test("fails where a libc has lost its dynamic linker", async () => {
    const { "lib64/ld-linux-x86-64.so.2": _, ...files } = fakeGlibc();
    delete files["usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"];
    await expect(choose({ ...program, ...files }, { libc: "pack" })).rejects.toMatchObject({
      code: "E_LIBC_LOADER",
    });
  });
});

describe("the libc that is taken", () => {
  test("is the one beside the program's dynamic linker, wherever that is", async () => {
    const store = "nix/store/abc-glibc/lib";
    const interpreter = `/${store}/ld-linux-x86-64.so.2`;
    const { libcs } = await choose({
      "app/bin/p": makeProgram({ interpreter, ...needs("GLIBC_2.34") }),
      ...fakeGlibc(undefined, { folder: store }),
      ...fakeGlibc(["GLIBC_2.2.5"]),
    });
    expect(libcs).toMatchObject([{ versions: ["GLIBC_2.34"] }]);
  });

  test("has the rarer parts that something asks for", async () => {
    const { libcs } = await choose({
      "app/bin/p": makeProgram({ needed: ["libmvec.so.1", "libc.so.6"] }),
      ...fakeGlibc(),
    });
    expect(libcs[0]?.parts).toContain("libmvec.so.1");
  });

  test("is musl for its programs, beside glibc for the others", async () => {
    const { libcs } = await choose(
      {
        ...program,
        ...fakeGlibc(),
        "app/bin/m": makeProgram({ interpreter: "/lib/ld-musl-x86_64.so.1", needed: ["libc.so"] }),
        "lib/ld-musl-x86_64.so.1": makeDynamicElf({ constants: "\x001.2.5\0musl libc (x86_64)\0" }),
      },
      { withLibs: true },
    );
    expect(libcs).toMatchObject([
      { libc: "glibc 2.34", programs: ["bin/p"] },
      {
        libc: "musl 1.2.5",
        parts: ["ld-musl-x86_64.so.1"],
        mode: "pack",
        versions: [],
        programs: ["bin/m"],
      },
    ]);
  });
});

describe("what the host's libc is asked for", () => {
  test("is the newest version of all files, and what has no number", async () => {
    const { libcs } = await choose({
      ...fakeGlibc(["GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.34", "GLIBC_ABI_DT_RELR"]),
      "app/bin/p": makeProgram(needs("GLIBC_2.2.5", "GLIBC_ABI_DT_RELR")),
      "app/plugin.so": makeDynamicElf({ versions: { "libm.so.6": ["GLIBC_2.9"] } }),
    });
    expect(libcs[0]?.versions).toEqual(["GLIBC_2.9", "GLIBC_ABI_DT_RELR"]);
  });

  test("is one that stands in libc.so.6 where another library has the newest", async () => {
    const files = fakeGlibc(["GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.34"]);
    files["usr/lib/x86_64-linux-gnu/libm.so.6"] = makeDynamicElf({ defined: ["GLIBC_2.29"] });
    const { libcs } = await choose({
      ...files,
      "app/bin/p": makeProgram({
        needed: ["libm.so.6", "libc.so.6"],
        versions: { "libm.so.6": ["GLIBC_2.29"] },
      }),
    });
    expect(libcs[0]?.versions).toEqual(["GLIBC_2.34"]);
  });

  test("is nothing that would do for what is private to one build of it", async () => {
    const { libcs } = await choose({
      ...fakeGlibc(),
      "app/bin/p": makeProgram(needs("GLIBC_2.2.5", "GLIBC_PRIVATE")),
    });
    expect(libcs).toMatchObject([{ mode: "pack", versions: ["GLIBC_2.2.5"] }]);
  });
});
