import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { circle, floorProblems } from "../../../scripts/check/floors.mjs";

let house: string;

/** Writes a project: what floors.json says of the rooms, and files by their paths. */
function build(floors: unknown, files: Record<string, string>) {
  const all = { "scripts/spec/floors.json": JSON.stringify(floors), ...files };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(path.dirname(path.join(house, name)), { recursive: true });
    writeFileSync(path.join(house, name), text);
  }
  return floorProblems(house);
}

const runtime = {
  runtime: { floors: [{ base: "" }, { kernel: "", zip: "" }, { main: "" }] },
};
const builder = {
  builder: { floors: [{ errors: "" }, { tree: "", elf: "" }, { cli: "" }] },
};
/** A runtime without a fault; tests add one. */
const sound = {
  "runtime/main.c": '#include "kernel/loop.h"\n#include <stdio.h>\n',
  "runtime/kernel/loop.h": '#include "base/fail.h"\n',
  "runtime/kernel/loop.c": '#include "kernel/loop.h"\n#include "zip/zip.h"\n',
  "runtime/zip/zip.h": "",
  "runtime/base/fail.h": "",
};
const modules = {
  "builder/errors.ts": "export const a = 1;\n",
  "builder/tree/tree.ts": 'import { a } from "../errors.ts";\nimport path from "node:path";\n',
  "builder/elf/read.ts": 'import { tree } from "../tree/tree.ts";\n',
  "builder/cli/main.ts": 'import type { Elf } from "../elf/read.ts";\n',
};

beforeEach(() => {
  house = mkdtempSync(path.join(os.tmpdir(), "floors-"));
});
afterEach(() => rmSync(house, { recursive: true }));

test("this project keeps its order", () => {
  expect(floorProblems()).toEqual([]);
});

test("steps down and along a floor are none of its business", () => {
  expect(build(runtime, sound)).toEqual([]);
  expect(build(builder, modules)).toEqual([]);
});

describe("a step upwards", () => {
  test.each([
    ["a source", "runtime/base/fail.c", '#include "kernel/loop.h"\n', "base -> kernel"],
    ["a header", "runtime/zip/zip.h", '#include "main.h"\n', "zip -> main"],
    ["with blanks", "runtime/base/a.c", ' #  include "zip/zip.h"\n', "base -> zip"],
    ["in a folder of the room", "runtime/base/x/y.c", '#include "zip/zip.h"\n', "base -> zip"],
  ])("of C is found: %s", (_, file, text, step) => {
    expect(build(runtime, { ...sound, [file]: text })).toEqual([
      expect.stringMatching(`^runtime: ${step} is a step upwards: ${file} names `),
    ]);
  });

  test.each([
    ["a value", 'import { main } from "../cli/main.ts";\n'],
    ["a type", 'import type { Main } from "../cli/main.ts";\n'],
    ["an export", 'export * from "../cli/main.ts";\n'],
    ["when it runs", 'const main = await import("../cli/main.ts");\n'],
    ["over lines", 'import {\n  main,\n} from "../cli/main.ts";\n'],
    ["for its effects", 'import "../cli/main.ts";\n'],
  ])("of TypeScript is found: %s", (_, text) => {
    expect(build(builder, { ...modules, "builder/tree/path.ts": text })).toEqual([
      "builder: tree -> cli is a step upwards: builder/tree/path.ts names cli/main.ts",
    ]);
  });

  test("is found in each file that takes it, and told once", () => {
    const up = '#include "kernel/loop.h"\n';
    const files = { ...sound, "runtime/base/fail.c": up, "runtime/base/more.c": up };
    expect(build(runtime, files)).toEqual([
      "runtime: base -> kernel is a step upwards: " +
        "runtime/base/fail.c names kernel/loop.h, runtime/base/more.c names kernel/loop.h",
    ]);
  });
});

describe("a circle", () => {
  test.each([
    ["of one", { "runtime/zip/zip.h": '#include "zip/zip.h"\n' }],
    [
      "of two in a room",
      {
        "runtime/zip/zip.h": '#include "zip/end.h"\n',
        "runtime/zip/end.h": '#include "zip/zip.h"\n',
      },
    ],
    [
      "of three in a room",
      {
        "runtime/zip/zip.h": '#include "zip/a.h"\n',
        "runtime/zip/a.h": '#include "zip/b.h"\n',
        "runtime/zip/b.h": '#include "zip/zip.h"\n',
      },
    ],
  ])("of includes is found: %s", (_, files) => {
    expect(build(runtime, { ...sound, ...files })).toEqual([
      expect.stringMatching(/^runtime: includes go in a circle: (zip\/\S+) -> .*\1$/),
    ]);
  });

  test("of rooms is found, where no file is in one", () => {
    expect(
      build(runtime, { ...sound, "runtime/zip/local.c": '#include "kernel/loop.h"\n' }),
    ).toEqual([expect.stringContaining("runtime: rooms go in a circle: ")]);
    expect(
      build(builder, { ...modules, "builder/tree/add.ts": 'import "../elf/read.ts";\n' }),
    ).toEqual([expect.stringContaining("builder: rooms go in a circle: ")]);
  });

  test("is given in its order", () => {
    expect(
      circle([
        ["a", "b"],
        ["b", "c"],
        ["c", "d"],
        ["d", "b"],
      ]),
    ).toEqual(["b", "c", "d", "b"]);
    expect(
      circle([
        ["a", "b"],
        ["a", "c"],
        ["b", "d"],
        ["c", "d"],
      ]),
    ).toBeUndefined();
  });
});

describe("floors.json", () => {
  test("has every room", () => {
    expect(build(runtime, { ...sound, "runtime/late/a.c": '#include "base/fail.h"\n' })).toEqual([
      "floors.json: runtime/late stands on no floor",
    ]);
    expect(
      build(builder, { ...modules, "builder/index.ts": 'export * from "./errors.ts";\n' }),
    ).toEqual(["floors.json: builder/index stands on no floor"]);
  });

  test("has no room that is gone", () => {
    const { "runtime/zip/zip.h": _, ...files } = sound;
    const gone = { ...files, "runtime/kernel/loop.c": "" };
    expect(build(runtime, gone)).toEqual(["floors.json: there is no runtime/zip"]);
  });

  test("has only folders whose imports are known", () => {
    expect(build({ native: { floors: [{ pool: "" }] } }, {})).toEqual([
      "floors.json: nobody knows the imports of native",
    ]);
  });
});
