import { execFileSync } from "node:child_process";
import { linkSync, lstatSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  needs: ["unzip"],
  files: { ...smallApp, "app/one": "the same bytes" },
  prepare: (dir) => linkSync(`${dir}/app/one`, `${dir}/app/two`),
  args: ["pack", "app", "-o", "out.zip", "--json"],
  check(cwd, { stdout }) {
    expect(JSON.parse(stdout)).toMatchObject({ format: "zip", files: 3 });
    execFileSync("unzip", ["-q", "out.zip", "-d", "there"], { cwd });
    execFileSync("diff", ["-r", "app", "there"], { cwd });
    expect(lstatSync(`${cwd}/there/two`).nlink).toBe(1);
  },
} satisfies Case;
