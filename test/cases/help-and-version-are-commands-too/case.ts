import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  args: ["help"],
  stdout: /^Usage: bundle COMMAND/,
  async check() {
    const same = [
      [
        ["help", "build"],
        ["build", "--help"],
      ],
      [["help", "help"], ["--help"]],
      [["version"], ["--version"]],
    ] as const;
    for (const [words, flags] of same) {
      const outcome = await bundle(words);
      expect({ words, ...outcome }).toEqual({ words, ...(await bundle(flags)) });
      expect(outcome.status).toBe(0);
    }
    const { status, stderr } = await bundle(["help", "biuld"]);
    expect(status).toBe(2);
    expect(stderr).toContain("[E_COMMAND_UNKNOWN]");
    expect(stderr).toContain("bundle build");
    for (const line of [
      ["help", "build", "pack"],
      ["version", "now"],
    ]) {
      expect((await bundle(line)).stderr).toContain("[E_ARGUMENT]");
    }
  },
} satisfies Case;
