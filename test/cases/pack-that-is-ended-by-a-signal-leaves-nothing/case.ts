import { readdirSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { slowNoise } from "../../support/image.ts";
import { interrupt } from "../../support/interrupt.ts";

export default {
  files: { ...smallApp, "app/large": slowNoise(24 << 20) },
  args: ["pack", "app", "-o"],
  async run(dir, command, args) {
    for (const ending of ["sfs", "zip", "b64"]) {
      expect(await interrupt(dir, command, [...args, `out.${ending}`], "SIGTERM", 20)).toBe(
        "SIGTERM",
      );
      expect(readdirSync(dir)).toEqual(["app"]);
    }
    return { status: 0, signal: null, stdout: "", stderr: "" };
  },
} satisfies Case;
