import { readFileSync, statSync } from "node:fs";
import { expect } from "vitest";
import { printerApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: printerApp,
  args: ["pack", "app", "-o", "out", "--format", "b64"],
  async check(cwd) {
    expect(readFileSync(`${cwd}/out`, "latin1")).toMatch(
      /^# made by bundle pack: [^\d]*\nhsqs|^# /,
    );
    expect(statSync(`${cwd}/out`).mode & 0o111).toBe(0);
    // Nothing of the machine or of the output's name is in it.
    await bundle(["pack", "app", "-o", "other", "--format", "b64"], { cwd });
    expect(readFileSync(`${cwd}/out`).equals(readFileSync(`${cwd}/other`))).toBe(true);
  },
} satisfies Case;
