import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { checkTree } from "../../../builder/check/check-tree.ts";
import { hostArchitecture } from "../../../builder/host/paths.ts";
import { treeFromDirectory } from "../../../builder/input/add-directory.ts";
import type { Manifest } from "../../../builder/manifest/manifest.ts";
import { shownWarning } from "../../../builder/warnings.ts";
import { type Files, writeFiles } from "../../support/case.ts";
import { makeDynamicElf, makeProgram } from "../../support/dynamic-elf.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** What is found in an image of these files. */
async function check(
  files: Files | string,
  {
    manifest = {},
    declared = [] as string[],
  }: { manifest?: Partial<Manifest>; declared?: string[] } = {},
): Promise<string[]> {
  const root = typeof files === "string" ? files : temporaryDirectory();
  if (typeof files !== "string") writeFiles(root, files);
  const tree = await treeFromDirectory(root);
  for (const { path: at, node } of tree.walk()) if (at.startsWith("bin/")) node.mode = 0o755;
  const arch = typeof files === "string" ? (hostArchitecture() ?? expect.fail()) : "x86_64";
  const recorded = { args: [], env: [], ...manifest } as unknown as Manifest;
  const emptyRoot = temporaryDirectory();
  const { findings } = await checkTree({ tree, manifest: recorded, arch, declared, emptyRoot });
  return findings.map(shownWarning);
}

describe("libraries", () => {
  test("are in the image, and led to, or of the libc", async () => {
    const needed = ["libx.so", "libc.so.6"];
    const files = { "lib/libx.so": makeDynamicElf({ needed: ["libm.so.6"] }) };
    const led = makeProgram({ needed, runpath: "$ORIGIN/../lib" });
    expect(await check({ "bin/p": led, ...files })).toEqual([]);
    const unled = makeProgram({ needed });
    expect(await check({ "bin/p": unled, ...files })).toEqual([
      expect.stringMatching(/^bin\/p needs libx\.so, .*lib\/libx\.so; .*\[W_LIBRARY_UNLED\]$/),
    ]);
    const env = ["LD_LIBRARY_PATH=${FUSELAGE_BUNDLE_DIR}/lib"];
    expect(await check({ "bin/p": unled, ...files }, { manifest: { env } })).toEqual([]);
    // This machine has a zlib, which does not count.
    expect(await check({ "bin/p": makeProgram({ needed: ["libz.so.1"] }) })).toEqual([
      "bin/p needs libz.so.1, which is not in the image [W_LIBRARY_MISSING]",
    ]);
  });

  test("are in the image where a map has them, the linker too", async () => {
    const needed = ["libx.so", "liby.so"];
    const files = {
      "store/x/libx.so": makeDynamicElf({ needed: ["/nix/store/y/libz.so"] }),
      "store/y/liby.so": makeDynamicElf({}),
      "store/y/libz.so": makeDynamicElf({}),
      "store/ld.so": makeDynamicElf({}),
      "bin/p": makeDynamicElf({
        interpreter: "/nix/store/ld.so",
        needed,
        rpath: "/nix/store/x:/nix/store/./y/",
      }),
    };
    expect(await check(files, { manifest: { maps: ["store=/nix/store"] } })).toEqual([]);
    // Where a start may go without, it is the machine's.
    for (const maps of [["store=?/nix/store"], ["store=/nix/other"], []]) {
      const found = await check(files, { manifest: { maps } });
      expect(found).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/^bin\/p needs libx\.so, .*\[W_LIBRARY_UNLED\]$/),
          expect.stringMatching(/\/nix\/store\/ld\.so.*\[W_LINKER\]$/),
        ]),
      );
    }
  });

  test("are a libc that the app brings, where a map has it", async () => {
    const versions = { "libc.so.6": ["GLIBC_2.39"] };
    const interpreter = "/nix/store/libc/ld-linux-x86-64.so.2";
    const program = (more: object) =>
      makeDynamicElf({
        interpreter,
        needed: ["liba.so", "libc.so.6"],
        rpath: "/nix/store/libc:/nix/store/a",
        versions,
        ...more,
      });
    const files = {
      "store/libc/ld-linux-x86-64.so.2": makeDynamicElf({ soname: "ld-linux-x86-64.so.2" }),
      "store/libc/libc.so.6": makeDynamicElf({
        soname: "libc.so.6",
        needed: ["ld-linux-x86-64.so.2"],
        versions: { "ld-linux-x86-64.so.2": ["GLIBC_PRIVATE"] },
      }),
      "store/a/liba.so": makeDynamicElf({ needed: ["libc.so.6"], versions }),
      // Loaded by name, without a search path of its own.
      "store/a/plugin.so": makeDynamicElf({ needed: ["libc.so.6"], versions }),
      "bin/p": program({}),
    };
    const manifest = { maps: ["store=/nix/store"] };
    expect(await check(files, { manifest })).toEqual([]);
    // Two programs, of which one takes the target's.
    const other = { "bin/q": makeProgram({ needed: ["libc.so.6"], versions }) };
    expect(await check({ ...files, ...other }, { manifest })).toEqual([
      expect.stringMatching(/^bin\/q needs GLIBC_2\.39, .*\[W_GLIBC_VERSION\]$/),
    ]);
    const older = { "bin/q": makeProgram({ needed: ["libc.so.6"] }) };
    expect(await check({ ...files, ...older }, { manifest })).toEqual([
      expect.stringMatching(/^store\/a\/plugin\.so needs GLIBC_2\.39, .*\[W_GLIBC_VERSION\]$/),
    ]);
    // Where a start goes without the map, all is the target's.
    const loose = await check(files, { manifest: { maps: ["store=?/nix/store"] } });
    expect(loose.join("\n")).toMatch(/GLIBC_2\.39, .*\[W_GLIBC_VERSION\]/);
  });

  test("may be said to be on every target, a newer glibc too", async () => {
    const files = {
      "bin/p": makeProgram({
        needed: ["libz.so.1", "libGL.so.1", "libc.so.6"],
        versions: { "libc.so.6": ["GLIBC_2.36"] },
      }),
    };
    expect(await check(files)).toHaveLength(3);
    const declared = ["libz.so.1", "libGL.so.1"];
    expect(await check(files, { declared })).toEqual([
      expect.stringMatching(
        /^bin\/p needs GLIBC_2\.36, .* to have 2\.31(, this machine has [\d.]+)? \[W_GLIBC_VERSION\]$/,
      ),
    ]);
    expect(await check(files, { declared: [...declared, "glibc-2.36"] })).toEqual([]);
    expect(await check(files, { declared: [...declared, "glibc-2.35"] })).toHaveLength(1);
  });

  test("are opened by glibc too, and by a linker that is at its usual place", async () => {
    const files = (interpreter: string) => ({
      "bin/p": makeDynamicElf({
        interpreter,
        needed: ["libc.so.6"],
        undefinedSymbols: ["pthread_exit"],
      }),
    });
    expect(await check(files("/opt/ld-linux-x86-64.so.2"))).toEqual([
      expect.stringMatching(/^bin\/p \(pthread_exit\) needs libgcc_s\.so\.1, /),
      expect.stringMatching(/\/opt\/ld-linux-x86-64\.so\.2.*\[W_LINKER\]$/),
    ]);
  });

  skipUnless("gcc")("have the versions that are asked for", async () => {
    const dir = temporaryDirectory();
    writeFiles(dir, {
      "main.c": "int one(void);\nint main(void) { return one(); }\n",
      "one.c": "int one(void) { return 1; }\nint more(void) { return 2; }\n",
      "old.map": "ONE_1 { global: more; local: *; };\n",
      "new.map": "ONE_1 { global: more; };\nONE_2 { global: one; local: *; } ONE_1;\n",
    });
    for (const folder of ["image", "image/lib", "image/bin"]) mkdirSync(path.join(dir, folder));
    const gcc = (...args: string[]) => execFileSync("gcc", args, { cwd: dir });
    const library = (map: string) =>
      gcc(
        ...["-shared", "-fPIC", "-Wl,-soname,libone.so.1", `-Wl,--version-script=${map}`],
        ...["-o", "image/lib/libone.so.1", "one.c"],
      );
    library("new.map");
    const rpath = "-Wl,-rpath,$ORIGIN/../lib";
    gcc("main.c", "image/lib/libone.so.1", rpath, "-o", "image/bin/main");
    const declared = ["glibc-9"];
    expect(await check(path.join(dir, "image"), { declared })).toEqual([]);
    library("old.map");
    expect(await check(path.join(dir, "image"), { declared })).toEqual([
      "bin/main needs ONE_2 of libone.so.1, which lib/libone.so.1 has not: it has ONE_1 [W_LIBRARY_VERSION]",
    ]);
  });
});

describe("scripts", () => {
  test("are run by what every target has, or what is in PATH of the bundle", async () => {
    const files = {
      "bin/a": "#!/bin/sh\n",
      "bin/b": "#!/usr/bin/env -S node --flag\n",
      "bin/c": "#!/usr/bin/env node\n",
      "bin/d": "#!bash\n",
      "own/node": "#!/bin/sh\n",
    };
    expect(await check(files)).toEqual([
      "bin/b is run by node, which the target must have (and so with 1 more) [W_INTERPRETER]",
      expect.stringMatching(/^bin\/d: .*depends on the folder.*\[W_SHEBANG\]$/),
    ]);
    const envPrepend = ["PATH=${FUSELAGE_BUNDLE_DIR}/own"];
    expect(await check(files, { manifest: { envPrepend } })).toHaveLength(1);
    // Node apps put their own there when they start.
    expect(await check({ ...files, "node/path/node": { link: "../../own/node" } })).toHaveLength(1);
  });

  test("of a fixed path are run by what is in the image there", async () => {
    const files = {
      "bin/python3": { link: "/usr/bin/python3" },
      "bin/tool": "#!/run/fuselage/x/bin/python3\n",
      "bin/other": "#!/run/fuselage/x/bin/python4\n",
    };
    const found = await check(files, {
      manifest: { mountAt: "/run/fuselage/x" },
      declared: ["python3"],
    });
    expect(found).toEqual([expect.stringContaining("and the folder has no bin/python4")]);
    const elsewhere = await check(files, { declared: ["python3", "/run/fuselage/x/bin/python4"] });
    expect(elsewhere).toEqual([
      expect.stringMatching(/^bin\/tool is run by \/run\/fuselage\/x\/bin\/p/),
    ]);
  });
});

test("scripts and links lead to what is in the image where a map has it", async () => {
  const files = {
    "app/bin/python3": "#!/bin/sh\n",
    "bin/tool": "#!/opt/tool/bin/python3\n",
    "bin/link": { link: "/opt/tool/share/../data" },
    "bin/other": { link: "/opt/tool/other" },
    "app/other": { link: "/srv/again/bin" },
    "app/data": "x",
  };
  const maps = ["app=/opt/tool", "app=!/srv/again"];
  expect(await check(files, { manifest: { maps } })).toEqual([]);
  const less = await check(
    { ...files, "bin/gone": { link: "/opt/tool/gone" } },
    {
      manifest: { maps: maps.slice(0, 1) },
    },
  );
  expect(less).toEqual([
    expect.stringMatching(/^the link app\/other leads to \/srv\/again\/bin of the target/),
    expect.stringMatching(/^the link bin\/gone leads to nothing in the image/),
  ]);
  const circle = { "a/x": { link: "/opt/tool/y" }, "a/y": { link: "/opt/tool/x" } };
  expect(await check(circle, { manifest: { maps: ["a=/opt/tool"] } })).toEqual([
    expect.stringContaining("leads in a circle"),
  ]);
  expect(await check(files)).toHaveLength(4);
});

describe("packages", () => {
  const json = (dependencies: object, more: object = {}) =>
    JSON.stringify({ dependencies, ...more });

  test("have what they depend on, beside them or above", async () => {
    const files = {
      "app/package.json": json({ a: "1", "@s/b": "1", gone: "1" }),
      "app/node_modules/a/package.json": json({ "@s/b": "1", deep: "1", away: "1" }),
      "app/node_modules/a/node_modules/deep/package.json": json({ a: "1" }),
      "app/node_modules/@s/b/package.json": json(
        { may: "1" },
        { optionalDependencies: { may: "1" } },
      ),
      "app/node_modules/a/test/package.json": json({ fixture: "1" }),
    };
    expect(await check(files)).toEqual([
      "app/node_modules/a/package.json depends on away, which is not in the image [W_PACKAGE_MISSING]",
      "app/package.json depends on gone, which is not in the image [W_PACKAGE_MISSING]",
    ]);
  });

  test("may be part of a bundled program", async () => {
    const sources = [
      "../node_modules/a/index.js",
      "../node_modules/.pnpm/b@1/node_modules/@s/b/x.js",
    ];
    const files = {
      "package.json": "{}",
      "app/package.json": json({ a: "1", "@s/b": "1", c: "1" }),
      "app/dist/main.js": "",
      "app/dist/main.js.map": JSON.stringify({ sources }),
    };
    expect(await check(files)).toEqual([expect.stringMatching(/depends on c, which/)]);
  });
});

describe("paths", () => {
  test("that are recorded are in the image, unless the app may make them", async () => {
    const files = { "bin/app": "#!/bin/sh\n", "data/x": "" };
    const manifest = {
      entry: "bin/gone",
      args: ["--data=${FUSELAGE_BUNDLE_DIR}/data", "${FUSELAGE_BUNDLE_DIR}/no,x"],
      env: ["A=${FUSELAGE_BUNDLE_DIR}/data/x:${FUSELAGE_BUNDLE_DIR}/y", "B=${FUSELAGE_BUNDLE_DIR}"],
    };
    expect(await check(files, { manifest })).toEqual([
      "the manifest names bin/gone, which leads to nothing in the image [W_PATH_MISSING]",
      "an argument names no, which leads to nothing in the image [W_PATH_MISSING]",
      "the variable A names y, which leads to nothing in the image [W_PATH_MISSING]",
    ]);
    expect(await check(files, { manifest: { ...manifest, writable: true } })).toHaveLength(1);
  });

  test("of links stay inside, or lead to what every target has", async () => {
    const files = {
      a: { link: "b" },
      b: { link: "a" },
      "lib/c": { link: "../../x" },
      d: { link: "/bin/sh" },
      e: { link: "/usr/bin/perl" },
      f: { link: "e" },
      g: { link: "lib" },
    };
    expect(await check(files)).toEqual([
      "the link a leads in a circle (and so do 1 more) [W_PATH_MISSING]",
      "the link e leads to /usr/bin/perl of the target (and so do 1 more) [W_PATH_MISSING]",
      'the link lib/c leads out of the image through ".." in a symbolic link [W_PATH_MISSING]',
    ]);
    expect(await check(files, { declared: ["perl"] })).toHaveLength(2);
  });
});
