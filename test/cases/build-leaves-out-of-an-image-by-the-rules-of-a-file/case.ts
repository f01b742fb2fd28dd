import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, rules: "*.md\n", "app/a.md": "", "app/d/b.md": "", "app/c.txt": "" },
  prepare: async (cwd) => {
    await bundle(["pack", "app", "-o", "app.sfs"], { cwd });
  },
  args: ["build", "app.sfs", "-o", "out", "--exclude-from", "rules"],
  async check(cwd) {
    const { stdout } = await bundle(["dump", "out", "--no-times", "--no-digests"], { cwd });
    const files = stdout.split("\n").filter((line) => line.includes(" file "));
    expect(files.map((line) => line.split(" ")[0])).toEqual(["/bin/app", "/c.txt"]);
  },
} satisfies Case;
