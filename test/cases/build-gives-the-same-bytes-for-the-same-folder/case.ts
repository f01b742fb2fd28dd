import { cpSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/a": "a", "app/b": "b", "app/deep/c": "c" },
  prepare(dir) {
    // A copy elsewhere, made in another order, with other times.
    mkdirSync(`${dir}/elsewhere/app/deep`, { recursive: true });
    for (const name of ["deep/c", "b", "a"]) {
      writeFileSync(`${dir}/elsewhere/app/${name}`, name.slice(-1));
      utimesSync(`${dir}/elsewhere/app/${name}`, 1e9, 1e9);
    }
    cpSync(`${dir}/app/bin`, `${dir}/elsewhere/app/bin`, { recursive: true });
  },
  args: ["build", "app", "-o", "one", "--threads", "1"],
  async check(cwd) {
    const env = { TZ: "Asia/Tokyo", LC_ALL: "tr_TR.UTF-8" };
    const args = ["build", "elsewhere/app", "-o", "two", "--threads", "7"];
    expect(await bundle(args, { cwd, env })).toMatchObject({ status: 0 });
    expect(readFileSync(`${cwd}/two`).equals(readFileSync(`${cwd}/one`))).toBe(true);
  },
} satisfies Case;
