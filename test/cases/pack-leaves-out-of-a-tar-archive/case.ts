import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";
import { tarOf } from "../../support/tar.ts";

export default {
  files: {
    "in.tar": tarOf({ name: "a/x.o" }, { name: "a/x.c" }, { name: "b/y" }, { name: ".git/config" }),
    rules: "*.o\n",
  },
  args: ["pack", "in.tar", "-o", "out.sfs", "--exclude", ".git", "--exclude-from", "rules"],
  async check(cwd) {
    const { stdout } = await bundle(["dump", "out.sfs", "--no-times", "--no-digests"], { cwd });
    const paths = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]);
    expect(paths).toEqual(["/", "/a", "/a/x.c", "/b", "/b/y"]);
  },
} satisfies Case;
