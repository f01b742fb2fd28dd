// Which packages of Debian a setup installs for the tests.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { isThere, missingTools } from "../../../scripts/setup.mjs";
import { temporaryDirectory } from "../../support/temporary.ts";

test("each package is missed by itself", () => {
  for (const [tool, name] of missingTools(() => false)) {
    expect(name, tool).toMatch(/^[a-z0-9][a-z0-9+.-]+$/);
    expect(missingTools((other) => other !== tool)).toEqual([[tool, name]]);
  }
});

test("a tool is a command, a file, or one of several names", () => {
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "vmlinuz-6.1-cloud-amd64"), "");
  for (const tool of ["sh", `${dir}/vmlinuz-6.1-cloud-amd64`, `${dir}/vmlinuz-*-cloud-amd64`]) {
    expect(isThere(tool), tool).toBe(true);
  }
  for (const tool of ["vmlinuz", `${dir}/vmlinuz-*-amd`, `${dir}/none/x-*`, `${dir}/v`]) {
    expect(isThere(tool), tool).toBe(false);
  }
});
