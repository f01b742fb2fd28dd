import { createHash } from "node:crypto";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

/** Of two images of one tree, and of the lines of either. */
export default {
  files: { ...smallApp, "app/data": "x".repeat(10_000) },
  async prepare(cwd) {
    await bundle(["pack", "app", "-o", "one.sfs"], { cwd });
    await bundle(["pack", "app", "-o", "two.sfs", "--compression", "gzip"], { cwd });
  },
  args: ["dump", "one.sfs", "--digest"],
  async check(cwd, { stdout }) {
    const { stdout: lines } = await bundle(["dump", "two.sfs"], { cwd });
    expect(stdout).toBe(`${createHash("sha256").update(lines).digest("hex")}\n`);
    const inspected = await bundle(["inspect", "two.sfs", "--digest"], { cwd });
    expect(inspected.stdout).toContain(`digest       ${stdout}`);
  },
} satisfies Case;
