import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import {
  keepTemporary,
  removeTemporaries,
  syncDirectory,
  temporaryName,
} from "../../../builder/output/temporary.ts";
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
