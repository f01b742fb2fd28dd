import { readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: {
    ...smallApp,
    "app/text": "of some length\n".repeat(50_000),
    "app/word": "first\n",
  },
  args: ["build", "app", "-o", "plain", "--no-cache"],
  async check(cwd) {
    const env = { HOME: cwd, XDG_CACHE_HOME: path.join(cwd, "cache") };
    const unread = async (...more: string[]) => {
      const args = ["build", "app", "-o", "out", "--json", ...more];
      const { stdout } = await bundle(args, { cwd, env });
      return JSON.parse(stdout).image.unread;
    };
    const same = () => readFileSync(`${cwd}/out`).equals(readFileSync(`${cwd}/plain`));
    await setTimeout(2100); // What changed in the last moments is not believed.
    expect([await unread(), same()]).toEqual([0, true]);
    expect([await unread(), same()]).toEqual([3, true]);
    expect([await unread("--paranoid"), same()]).toEqual([0, true]);
    expect([await unread("--no-cache"), same()]).toEqual([0, true]);
    // Of the same size, and the time put back.
    const { atime, mtime } = statSync(`${cwd}/app/word`);
    writeFileSync(`${cwd}/app/word`, "other\n");
    utimesSync(`${cwd}/app/word`, atime, mtime);
    await bundle(["build", "app", "-o", "plain", "--no-cache"], { cwd });
    await unread();
    expect(same()).toBe(true);
    expect((await bundle(["extract", "out", "-d", "x"], { cwd })).status).toBe(0);
    expect(readFileSync(`${cwd}/x/word`, "utf8")).toBe("other\n");
  },
} satisfies Case;
