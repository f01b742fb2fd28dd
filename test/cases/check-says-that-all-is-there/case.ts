import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--check"],
  async check(cwd) {
    const { stdout, status } = await bundle(["check", "out"], { cwd });
    const words = "out: all that it names is there (0 ELF files, 1 script, 0 packages)\n";
    expect({ stdout, status }).toEqual({ stdout: words, status: 0 });
    const { stdout: json } = await bundle(["check", "out", "--json"], { cwd });
    expect(JSON.parse(json)).toEqual({
      file: "out",
      findings: [],
      programs: 0,
      scripts: 1,
      packages: 0,
    });
  },
} satisfies Case;
