import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

const deep = "d/".repeat(250);

export default {
  files: smallApp,
  prepare(dir) {
    mkdirSync(`${dir}/app/${deep}`, { recursive: true });
    writeFileSync(`${dir}/app/${deep}file`, "at the end");
  },
  args: ["build", "app", "-o", "out"],
  async check(cwd) {
    expect(await bundle(["extract", "out", "-d", "x"], { cwd })).toMatchObject({ status: 0 });
    expect(existsSync(`${cwd}/x/${deep}file`)).toBe(true);
  },
} satisfies Case;
