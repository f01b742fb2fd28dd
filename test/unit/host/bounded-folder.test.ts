/** What of a cache folder is kept. */
import { existsSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, expect, test } from "vitest";
import { filesIn, isUsable, limitOf, reap } from "../../../builder/host/bounded-folder.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const DAY = 24 * 3600 * 1000;
let dir: string;

beforeEach(() => {
  dir = temporaryDirectory();
});

/** A file of 1000 bytes that was used so long ago. */
function file(name: string, ago: number): void {
  const used = new Date(Date.now() - ago);
  writeFileSync(path.join(dir, name), Buffer.alloc(1000));
  utimesSync(path.join(dir, name), used, used);
}

test("what is too much goes, the longest unused first", () => {
  file("b", 2000);
  file("a", 1000);
  file("c", 3000);
  reap(dir, 2500);
  expect(readdirSync(dir)).toEqual(["a", "b"]);
  reap(dir, 999);
  expect(readdirSync(dir)).toEqual([]);
});

test("what was not used for a month goes, and what was begun a day ago", () => {
  file("young", 29 * DAY);
  file("old", 31 * DAY);
  file("begun.tmp", DAY / 2);
  file("left.tmp", 2 * DAY);
  reap(dir, 1 << 30);
  expect(readdirSync(dir)).toEqual(["begun.tmp", "young"]);
});

test("the limit is a tenth of the disk at most, and not known where there is no folder", () => {
  expect(limitOf(dir, 1000)).toBe(1000);
  const most = limitOf(dir, Number.MAX_SAFE_INTEGER);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(Number.MAX_SAFE_INTEGER);
  expect(limitOf(path.join(dir, "none"), 1000)).toBeUndefined();
});

test("a folder is made for the user alone; one that cannot be is of no use", () => {
  expect(isUsable(path.join(dir, "a/b"))).toBe(true);
  expect(existsSync(path.join(dir, "a/b"))).toBe(true);
  file("plain", 0);
  expect(isUsable(path.join(dir, "plain"))).toBe(false);
  symlinkSync("nowhere", path.join(dir, "link"));
  expect(isUsable(path.join(dir, "plain/below"))).toBe(false);
});

test("one that was removed a moment ago has no files", () => {
  file("a", 0);
  expect(filesIn(dir)).toHaveLength(1);
  expect(filesIn(path.join(dir, "gone"))).toEqual([]);
  expect(() => filesIn(path.join(dir, "a"))).toThrow("ENOTDIR");
});
