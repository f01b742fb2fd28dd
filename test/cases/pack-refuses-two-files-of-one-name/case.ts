import { existsSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "more/bin/app": "other", "flat/bin": "a file", "flat/share": "another" },
  args: ["pack", "app", "more", "-o", "out.sfs"],
  code: "E_INPUT_CONFLICT",
  stderr: /bin\/app: two of the inputs.*found a file in one and a file in another/,
  async check(cwd) {
    // A file where another input has a directory, both ways, and where a directory is to go through.
    for (const [found, ...inputs] of [
      ["bin: .* a directory in one and a file in another", "app", "flat"],
      ["bin: .* a file in one and a directory in another", "flat", "app"],
      ["share: .* a file in one and a directory in another", "flat", "more:/share/more"],
    ]) {
      const { status, stderr } = await bundle(["pack", ...inputs, "-o", "out.sfs"], { cwd });
      expect(stderr).toMatch(new RegExp(`E_INPUT_CONFLICT.*${found}`));
      expect(stderr).toContain("INPUT:/FOLDER");
      expect([status, existsSync(path.join(cwd, "out.sfs"))]).toEqual([1, false]);
    }
  },
} satisfies Case;
