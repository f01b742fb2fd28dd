import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { makeFolder } from "../../../builder/host/make-folder.ts";
import { bundle, run } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("a folder is made, with those above it", () => {
  const dir = path.join(temporaryDirectory(), "a/b/c");
  makeFolder(dir, 0o700);
  expect(statSync(dir).mode & 0o7777).toBe(0o700);
  expect(statSync(path.dirname(dir)).mode & 0o7777).toBe(0o700);
});

test("one that is there stays as it is, also by a link", () => {
  const base = temporaryDirectory();
  mkdirSync(path.join(base, "there"));
  chmodSync(path.join(base, "there"), 0o755);
  symlinkSync("there", path.join(base, "link"));
  makeFolder(path.join(base, "there"), 0o700);
  makeFolder(path.join(base, "link/more"), 0o700);
  expect(statSync(path.join(base, "there")).mode & 0o777).toBe(0o755);
  expect(statSync(path.join(base, "there/more")).mode & 0o777).toBe(0o700);
});

test.each([
  ["below /proc", "/proc/nothing/here/at/all", "ENOENT"],
  ["below a process that is none", "/proc/0/a/b", "ENOENT"],
  ["below /sys", "/sys/kernel/nothing/here", /^E(PERM|ACCES|NOENT|ROFS)$/],
])("%s none can be made, and it says so", (_, dir, code) => {
  let said: unknown;
  try {
    makeFolder(dir, 0o700);
  } catch (cause) {
    said = (cause as NodeJS.ErrnoException).code;
  }
  expect(said).toMatch(code);
});

test("below a file neither", () => {
  const file = path.join(temporaryDirectory(), "file");
  writeFileSync(file, "");
  expect(() => makeFolder(path.join(file, "a"), 0o700)).toThrow("ENOTDIR");
});

test("a build with its cache there goes on without one", async () => {
  const base = temporaryDirectory();
  const app = path.join(base, "app");
  const out = path.join(base, "app.run");
  mkdirSync(app);
  writeFileSync(path.join(app, "run"), "#!/bin/sh\necho built\n", { mode: 0o755 });
  const env = { ...process.env, XDG_CACHE_HOME: "/proc/nothing/here" };
  await bundle(["build", app, "-o", out], { env });
  expect((await run(out, [])).stdout).toBe("built\n");
});
