/** Paths of another machine's root, followed as that machine would. */
import path from "node:path";
import { expect, test } from "vitest";
import { fileOf, firstOf } from "../../../../builder/libraries/libc/sysroot.ts";
import { writeFiles } from "../../../support/case.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const root = temporaryDirectory();
writeFiles(root, {
  "usr/lib/ld.so": "loader",
  "usr/share/x/y": "text",
  lib: { link: "usr/lib" },
  "lib64/ld.so": { link: "/lib/ld.so" },
  "lib64/up.so": { link: "../../../../../usr/lib/ld.so" },
  "lib64/out.so": { link: "/etc/passwd" },
  "lib64/a": { link: "b" },
  "lib64/b": { link: "/lib64/a" },
});
const shown = (file: string) => {
  const found = fileOf(root, file);
  return found && path.relative(root, found);
};

test("absolute links lead to places of the sysroot", () => {
  expect(shown("/lib64/ld.so")).toBe("usr/lib/ld.so");
  expect(shown("/lib/ld.so")).toBe("usr/lib/ld.so");
});

test("nothing leads out of it", () => {
  expect(shown("/lib64/up.so")).toBe("usr/lib/ld.so");
  expect(shown("/../../usr/./lib/../share/x/y")).toBe("usr/share/x/y");
  expect(shown("/lib64/out.so")).toBeUndefined();
});

test("links in a circle and what is missing are nowhere", () => {
  expect(shown("/lib64/a")).toBeUndefined();
  expect(shown("/lib/none/ld.so")).toBeUndefined();
});

test("the first of the kind that is asked for is taken", () => {
  const files = ["/usr/none", "/usr/share/x", "/usr/share/x/y"];
  expect(firstOf(root, files)).toBe(path.join(root, "usr/share/x/y"));
  expect(firstOf(root, files, "folder")).toBe(path.join(root, "usr/share/x"));
});
