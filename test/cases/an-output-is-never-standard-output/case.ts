import { existsSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "-"],
  code: "E_OPTION_VALUE",
  status: 2,
  async check(cwd) {
    for (const args of [
      ["pack", "app", "--format=sfs", "-o", "-"],
      ["runtime", "-o", "-"],
    ]) {
      const { status, stdout, stderr } = await bundle(args, { cwd });
      expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: "" });
      expect(stderr).toContain("[E_OPTION_VALUE] --output");
    }
    expect(existsSync(path.join(cwd, "-"))).toBe(false);
    // A file of that name can be had, by a path.
    expect(await bundle(["build", "app", "-o", "./-"], { cwd })).toMatchObject({ status: 0 });
    expect(existsSync(path.join(cwd, "-"))).toBe(true);
  },
} satisfies Case;
