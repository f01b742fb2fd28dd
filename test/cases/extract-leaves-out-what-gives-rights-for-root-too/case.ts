import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  needs: ["root", "xattrs"],
  files: { ...smallApp, "app/file": "x" },
  async prepare(cwd) {
    mkdirSync(`${cwd}/app/shared`);
    chmodSync(`${cwd}/app/shared`, 0o3777);
    chownSync(`${cwd}/app/file`, 1234, 5678);
    chmodSync(`${cwd}/app/file`, 0o6755);
    execFileSync("mknod", [`${cwd}/app/null`, "c", "1", "3"]);
    execFileSync("setfattr", ["-n", "trusted.note", "-v", "x", `${cwd}/app/file`]);
    execFileSync("setfattr", ["-n", "user.note", "-v", "x", `${cwd}/app/file`]);
    await bundle(["build", "app", "-o", "out", "--keep-owners", "--devices"], { cwd });
  },
  args: ["extract", "out", "-d", "there"],
  stdout:
    /; left out 1 device nodes, 2 set-id bits, 1 owners, 1 privileged attributes \(--devices --set-id --owners --privileged-xattrs keep them\)\n$/,
  check(cwd) {
    const { uid, gid, mode } = lstatSync(`${cwd}/there/file`);
    expect([uid, gid, mode & 0o7777]).toEqual([0, 0, 0o755]);
    expect(lstatSync(`${cwd}/there/shared`).mode & 0o7777).toBe(0o1777);
    expect(existsSync(`${cwd}/there/null`)).toBe(false);
    const attributes = execFileSync("getfattr", [
      "--absolute-names",
      "-d",
      "-m",
      "-",
      `${cwd}/there/file`,
    ]);
    expect(`${attributes}`).toMatch(/^user\.note="x"$/m);
    expect(`${attributes}`).not.toContain("trusted");
  },
} satisfies Case;
