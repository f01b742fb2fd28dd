import { execFileSync } from "node:child_process";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: smallApp,
  prepare: (dir) => {
    execFileSync("mkfifo", [`${dir}/app/pipe`]);
  },
  args: ["pack", "app", "-o", "out.sfs", "--devices"],
  async check(cwd) {
    const { stdout } = await bundle(["inspect", "out.sfs", "--list"], { cwd });
    expect(stdout).toMatch(/^prw.* pipe$/m);
    const without = await bundle(["pack", "app", "-o", "other.sfs"], { cwd });
    expect(without).toMatchObject({ status: 1 });
    expect(without.stderr).toMatch(/E_FILE_KIND.*pipe/);
  },
} satisfies Case;
