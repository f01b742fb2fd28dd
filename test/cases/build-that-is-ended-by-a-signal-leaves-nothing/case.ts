import { readdirSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { slowNoise } from "../../support/image.ts";
import { interrupt } from "../../support/interrupt.ts";

export default {
  files: { ...smallApp, "app/large": slowNoise(24 << 20) },
  args: ["build", "app", "-o", "out", "--compression", "zstd:22"],
  async run(dir, command, args) {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      expect(await interrupt(dir, command, args, signal)).toBe(signal);
      expect(readdirSync(dir)).toEqual(["app"]);
    }
    return { status: 0, signal: null, stdout: "", stderr: "" };
  },
} satisfies Case;
