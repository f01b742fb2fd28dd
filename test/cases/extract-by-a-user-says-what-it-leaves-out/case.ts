import { execFileSync } from "node:child_process";
import { chownSync, existsSync, lstatSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  needs: ["root"],
  asUser: true,
  files: { ...smallApp, "app/file": "x" },
  async prepare(cwd) {
    chownSync(`${cwd}/app/file`, 1234, 5678);
    execFileSync("mknod", [`${cwd}/app/null`, "c", "1", "3"]);
    await bundle(["build", "app", "-o", "out", "--keep-owners", "--devices"], { cwd });
  },
  args: ["extract", "out", "-d", "there"],
  stdout: /left out 1 device nodes, 1 owners \(--devices --owners keep them\)/,
  check(cwd) {
    expect(lstatSync(`${cwd}/there/file`).uid).toBe(1000);
    expect(existsSync(`${cwd}/there/null`)).toBe(false);
  },
} satisfies Case;
