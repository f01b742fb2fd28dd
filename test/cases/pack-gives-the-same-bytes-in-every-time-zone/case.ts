import { cpSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/a": "a", "app/b": "b", "app/deep/c": "c" },
  prepare(dir) {
    mkdirSync(`${dir}/elsewhere/app/deep`, { recursive: true });
    for (const name of ["deep/c", "b", "a"]) {
      writeFileSync(`${dir}/elsewhere/app/${name}`, name.slice(-1));
      utimesSync(`${dir}/elsewhere/app/${name}`, 1e9, 1e9);
    }
    cpSync(`${dir}/app/bin`, `${dir}/elsewhere/app/bin`, { recursive: true });
  },
  args: ["--version"],
  async check(cwd) {
    for (const format of ["sfs", "zip", "b64"]) {
      // A time of the first day that zip knows, which is another day elsewhere, and one in summer.
      for (const epoch of ["315543600", "1720000001", undefined]) {
        const zones = ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"];
        const pack = async (TZ: string, i: number) => {
          const args = ["pack", i === 1 ? "elsewhere/app" : "app", "-o", `${i}.${format}`];
          const env = { TZ, SOURCE_DATE_EPOCH: epoch, LC_ALL: "tr_TR.UTF-8" };
          expect(await bundle(args, { cwd, env })).toMatchObject({ status: 0, stderr: "" });
          return readFileSync(`${cwd}/${i}.${format}`);
        };
        const made = await Promise.all(zones.map(pack));
        expect(made.every((bytes) => bytes.equals(made[0] ?? Buffer.alloc(0)))).toBe(true);
      }
    }
  },
} satisfies Case;
