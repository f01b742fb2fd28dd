import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type Case, program, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, there: { folder: true } },
  async prepare(cwd) {
    await bundle(["build", "app", "-o", "out"], { cwd });
  },
  args: ["extract", "out", "-d", "there"],
  check(cwd) {
    expect(readFileSync(`${cwd}/there/bin/app`, "utf8")).toBe(program);
  },
} satisfies Case;
