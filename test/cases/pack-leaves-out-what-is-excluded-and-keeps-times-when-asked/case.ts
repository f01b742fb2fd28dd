import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, utimesSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  needs: ["unzip"],
  files: { ...smallApp, "app/kept": "x", "app/app.map": "x" },
  prepare: (dir) => utimesSync(`${dir}/app/kept`, 1_500_000_002, 1_500_000_002),
  args: ["pack", "app", "-o", "out.zip", "--exclude", "**/*.map", "--keep-mtimes"],
  check(cwd) {
    execFileSync("unzip", ["-q", "out.zip", "-d", "there"], {
      cwd,
      env: { ...process.env, TZ: "UTC" },
    });
    expect(existsSync(`${cwd}/there/app.map`)).toBe(false);
    expect(lstatSync(`${cwd}/there/kept`).mtimeMs).toBe(1_500_000_002_000);
  },
} satisfies Case;
