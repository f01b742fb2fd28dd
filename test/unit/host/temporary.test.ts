import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import {
  keepTemporary,
  removeTemporaries,
  removeTemporary,
  syncDirectory,
  temporaryFile,
  temporaryFolder,
  temporaryName,
  workFolder,
} from "../../../builder/host/temporary.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("all that are still there can be removed at once", () => {
  const dir = temporaryDirectory();
  writeFileSync(temporaryName(dir), "half");
  mkdirSync(path.join(temporaryName(dir), "deep"), { recursive: true });
  temporaryName(dir); // A name that was never used.
  removeTemporaries();
  expect(readdirSync(dir)).toEqual([]);
});

test("one that was published stays", () => {
  const name = temporaryName(temporaryDirectory());
  writeFileSync(name, "complete");
  keepTemporary(name);
  removeTemporaries();
  expect(existsSync(name)).toBe(true);
});

test("names are new each time, and short", () => {
  const names = new Set(Array.from({ length: 100 }, () => path.basename(temporaryName("/"))));
  expect(names.size).toBe(100);
  for (const name of names) {
    expect(name.length).toBeLessThan(40);
    keepTemporary(path.join("/", name));
  }
});

test("a folder can be written to disk", async () => {
  await expect(syncDirectory(temporaryDirectory())).resolves.toBeUndefined();
});

test("a folder is private, and held whatever its name leads to", () => {
  const dir = temporaryDirectory();
  const { name, held } = temporaryFolder(dir);
  expect(statSync(name).mode & 0o7777).toBe(0o700);
  writeFileSync(path.join(held, "file"), "kept");
  expect(readFileSync(path.join(name, "file"), "utf8")).toBe("kept");
  renameSync(name, path.join(dir, "away"));
  mkdirSync(path.join(name, "deep"), { recursive: true });
  removeTemporary(name);
  // Its own contents are gone, and another's that has its name by now stays.
  expect(readdirSync(path.join(dir, "away"))).toEqual([]);
  expect(readdirSync(name)).toEqual(["deep"]);
});

test("a folder that was taken away is no failure", () => {
  const { name } = temporaryFolder(temporaryDirectory());
  rmSync(name, { recursive: true });
  expect(() => removeTemporary(name)).not.toThrow();
});

test("a file is removed, and a folder that has its name by now stays", () => {
  const dir = temporaryDirectory();
  const [file, folder] = [temporaryFile(dir), temporaryFile(dir)];
  writeFileSync(file, "half");
  mkdirSync(folder);
  writeFileSync(path.join(folder, "another's"), "");
  temporaryFile(dir); // Never made.
  removeTemporaries();
  expect(readdirSync(dir)).toEqual([path.basename(folder)]);
  expect(readdirSync(folder)).toEqual(["another's"]);
});

test("folders for work are in TMPDIR, and on the list", () => {
  const before = process.env["TMPDIR"];
  const dir = temporaryDirectory();
  process.env["TMPDIR"] = dir;
  try {
    const name = workFolder();
    expect(path.dirname(name)).toBe(dir);
    expect(statSync(name).mode & 0o7777).toBe(0o700);
    writeFileSync(path.join(name, "file"), "");
    removeTemporaries();
    expect(readdirSync(dir)).toEqual([]);
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
});
