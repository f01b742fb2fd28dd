import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { interrupt } from "../../support/interrupt.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: smallApp,
  async prepare(cwd) {
    for (let folder = 0; folder < 60; folder++) {
      mkdirSync(`${cwd}/app/${folder}`);
      for (let file = 0; file < 250; file++) writeFileSync(`${cwd}/app/${folder}/${file}`, "");
    }
    await bundle(["build", "app", "-o", "out", "--compression", "none"], { cwd });
  },
  args: ["extract", "out"],
  async run(dir, command, args) {
    for (const delay of [0, 5, 20]) {
      expect(await interrupt(dir, command, args, "SIGTERM", delay)).toBe("SIGTERM");
      expect(readdirSync(dir).sort()).toEqual(["app", "out"]);
    }
    return { status: 0, signal: null, stdout: "", stderr: "" };
  },
} satisfies Case;
