import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  args: ["--version"],
  stdout: /^bundle \d+\.\d+\.\d+\n$/,
  async check() {
    const { status, stdout, stderr } = await bundle(["--help"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^Usage: bundle COMMAND/);
  },
} satisfies Case;
