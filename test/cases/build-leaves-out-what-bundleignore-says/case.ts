import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: {
    ...smallApp,
    "app/.bundleignore":
      "# comment\n*.log\n!keep.log\n/build/\ndocs/*\n!docs/index.md\n*.tmp.[ch]\n",
    "app/a.log": "",
    "app/deep/b.log": "",
    "app/deep/keep.log": "",
    "app/build/x": "",
    "app/deep/build/x": "",
    "app/docs/other.md": "",
    "app/docs/index.md": "",
    "app/x.tmp.c": "",
    "app/node_modules/x/.bundleignore": "*\n",
  },
  args: ["build", "app", "-o", "out", "--exclude", "deep/build"],
  async check(cwd) {
    const { stdout } = await bundle(["dump", "out", "--no-times", "--no-digests"], { cwd });
    const files = stdout.split("\n").filter((line) => line.includes(" file "));
    expect(files.map((line) => line.split(" ")[0])).toEqual([
      "/bin/app",
      "/deep/keep.log",
      "/docs/index.md",
      "/node_modules/x/.bundleignore",
    ]);
  },
} satisfies Case;
