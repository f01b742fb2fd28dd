import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

/** The same image comes of it, byte for byte. */
export default {
  files: {
    ...smallApp,
    "app/ odd \\ name\n": "odd",
    "app/empty": "",
    "app/link": { link: "empty" },
  },
  async prepare(cwd) {
    await bundle(["pack", "app", "-o", "one.sfs"], { cwd });
    const { stdout } = await bundle(["dump", "one.sfs"], { cwd });
    writeFileSync(`${cwd}/dump`, stdout);
    mkdirSync(`${cwd}/store`);
    for (const text of ["odd", "#!/bin/sh\nexit 0\n"]) {
      writeFileSync(`${cwd}/store/${createHash("sha256").update(text).digest("hex")}`, text);
    }
  },
  args: ["pack", "--from-dump", "dump", "--objects", "store", "-o", "two.sfs"],
  async check(cwd) {
    const [one, two] = await Promise.all(
      ["one.sfs", "two.sfs"].map((file) => bundle(["dump", file], { cwd })),
    );
    expect(two?.stdout).toBe(one?.stdout);
  },
} satisfies Case;
