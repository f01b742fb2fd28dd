import { execFileSync } from "node:child_process";
import { lstatSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/data": "some text", "app/link": { link: "data" } },
  async prepare(cwd) {
    await bundle(["build", "app", "-o", "out"], { cwd });
  },
  args: ["extract", "out"],
  check(cwd) {
    execFileSync("diff", ["-r", "--no-dereference", "app", "squashfs-root"], { cwd });
    expect(lstatSync(`${cwd}/squashfs-root/bin/app`).mode & 0o777).toBe(0o755);
  },
} satisfies Case;
