import { mkdirSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

const names = ["x".repeat(255), "new\nline", " ", "-rf", "back\\slash", "grüße"];

export default {
  files: smallApp,
  prepare(dir) {
    mkdirSync(`${dir}/app/names`);
    for (const name of names) writeFileSync(`${dir}/app/names/${name}`, name);
    writeFileSync(Buffer.from(`${dir}/app/names/invalid \xff UTF-8`, "latin1"), "");
  },
  args: ["build", "app", "-o", "out"],
  async check(cwd) {
    const { stdout } = await bundle(["inspect", "out", "--list"], { cwd });
    for (const shown of ["new\\nline", "invalid \\xff UTF-8", "grüße", "x".repeat(255)]) {
      expect(stdout).toContain(`names/${shown}`);
    }
  },
} satisfies Case;
