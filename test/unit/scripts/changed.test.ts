import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { belongs, changedFiles, importers, testsOf } from "../../../scripts/test/changed.mjs";
import { expected, kinds } from "../../../scripts/test/kinds.mjs";
import { skipUnless } from "../../support/needs.ts";
import { root } from "../../support/process.ts";

test("what the map names is there", () => {
  for (const [source, tests] of Object.entries(belongs)) {
    for (const name of [source, ...tests]) {
      expect(existsSync(path.join(root, name)), name).toBe(true);
    }
  }
});

test("every folder of tests is a kind, and none is one twice", () => {
  const folders = readdirSync(path.join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name.split("/")[0]}/`);
  const named = kinds.map(({ dir }) => dir);
  expect([...named].sort()).toEqual([...new Set(folders)].sort());
});

test("every room of the runtime has tests of its own, and a file of it has some", () => {
  const rooms = readdirSync(path.join(root, "runtime"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "generated")
    .map((entry) => `runtime/${entry.name}`);
  expect(rooms.length).toBeGreaterThan(10);
  for (const room of rooms) {
    expect(Object.keys(belongs), room).toContain(room);
    expect(testsOf([`${room}/anything.c`]).files, room).not.toEqual([]);
  }
  for (const file of ["runtime/main.c", "native/pool.h"]) {
    expect(testsOf([file]).files, file).not.toEqual([]);
  }
});

test("every file of the builder is tried by some test", () => {
  const graph = importers();
  const files = readdirSync(path.join(root, "builder"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.startsWith("generated/"))
    .map((name) => `builder/${name}`);
  const untried = files.filter((file) => {
    const { files, cases } = testsOf([file], {}, graph);
    return files.length + cases.length === 0;
  });
  expect(untried).toEqual([]);
});

test("a command is tried by the cases that begin with its name", () => {
  expect(testsOf(["builder/cli/commands/extract-command.ts"], {}).cases).toEqual([
    { file: "test/cases/index.test.ts", name: "extract-" },
  ]);
});

test("a module is tried by the tests that import it, the nearest first", () => {
  // How many there is time for depends on how long they took here: as before any run.
  expect(testsOf(["builder/tree/path.ts"], {}).files[0]).toBe("test/unit/tree/path.test.ts");
  const { files } = testsOf(["builder/squashfs/plan.ts"], {});
  expect(files[0]).toBe("test/unit/squashfs/plan.test.ts");
  expect(files).toContain("test/unit/squashfs/inode-table.test.ts");
  expect(files).toContain("test/unit/squashfs/layout.test.ts");
});

test("a test that changed is run, however long it takes; others end after a minute", () => {
  const slow = "test/cases/apps/index.test.ts";
  expect(testsOf([slow]).files).toEqual([slow]);
  const { files, left } = testsOf(["builder/errors.ts"]);
  // How many depends on the machine that measured them: as many as there is time for.
  expect(files.length + left.length).toBeGreaterThan(20);
  const spent = files.reduce((sum, file) => sum + expected(file), 0);
  expect(spent).toBeLessThan(45.001); // sums of fractions
  for (const file of left) expect(spent + expected(file), file).toBeGreaterThan(44.999);
});

test("a file of a case is one case", () => {
  const name = "build-refuses-an-empty-folder";
  expect(testsOf([`test/cases/${name}/case.ts`])).toEqual({
    files: [],
    left: [],
    cases: [{ file: "test/cases/index.test.ts", name }],
  });
});

test("what no test belongs to has none", () => {
  expect(testsOf(["LICENSE", "docs/format.md"]).files).toEqual([]);
});

skipUnless("git")("files that are new to git are found", () => {
  const made = mkdtempSync(path.join(root, "test/unit/scripts/new-"));
  try {
    writeFileSync(path.join(made, "file"), "");
    expect(changedFiles()).toContain(path.relative(root, path.join(made, "file")));
  } finally {
    rmSync(made, { recursive: true });
  }
});
