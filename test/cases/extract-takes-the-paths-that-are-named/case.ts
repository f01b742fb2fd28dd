import { execFileSync } from "node:child_process";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

/** With what is in them, and the folders that lead there; a name that only begins so is another one. */
export default {
  files: {
    ...smallApp,
    "app/etc/one": "first\n",
    "app/etc/deep/er": "deep\n",
    "app/etcetera": "no\n",
    "app/share/a": "a\n",
    "app/share/b": "b\n",
  },
  async prepare(cwd) {
    await bundle(["build", "app", "-o", "out"], { cwd });
  },
  args: ["extract", "out", "/etc/", "share/b", "-d", "some"],
  stdout: /^some: 6 entries/,
  check(cwd) {
    const found = execFileSync("find", ["some", "-mindepth", "1"], { cwd, encoding: "utf8" });
    expect(found.trim().split("\n").sort()).toEqual([
      "some/etc",
      "some/etc/deep",
      "some/etc/deep/er",
      "some/etc/one",
      "some/share",
      "some/share/b",
    ]);
  },
} satisfies Case;
