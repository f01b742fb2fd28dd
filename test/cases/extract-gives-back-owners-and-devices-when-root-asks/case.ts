import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, lstatSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  needs: ["root", "xattrs"],
  files: { ...smallApp, "app/file": "x", "app/link": { link: "file" } },
  async prepare(cwd) {
    chownSync(`${cwd}/app/file`, 1234, 5678);
    chmodSync(`${cwd}/app/file`, 0o4751);
    execFileSync("mknod", [`${cwd}/app/null`, "c", "1", "3"]);
    execFileSync("setfattr", ["-n", "trusted.note", "-v", "x", `${cwd}/app/file`]);
    await bundle(["build", "app", "-o", "out", "--keep-owners", "--devices"], { cwd });
  },
  args: [
    "extract",
    "out",
    "-d",
    "there",
    "--owners",
    "--devices",
    "--set-id",
    "--privileged-xattrs",
  ],
  stdout: /^there: 5 entries, [^;]*$/,
  check(cwd) {
    const file = lstatSync(`${cwd}/there/file`);
    expect([file.uid, file.gid, file.mode & 0o7777]).toEqual([1234, 5678, 0o4751]);
    expect(
      `${execFileSync("getfattr", ["--absolute-names", "-n", "trusted.note", `${cwd}/there/file`])}`,
    ).toContain("x");
    const device = lstatSync(`${cwd}/there/null`);
    expect([device.isCharacterDevice(), device.rdev]).toEqual([true, 0x103]);
  },
} satisfies Case;
