import { execFileSync } from "node:child_process";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: {
    ...smallApp,
    "more/bin/tool": "#!/bin/sh\n",
    "more/share/text": "x",
    "data/table": "y",
    "docs/a:b": "z",
  },
  async prepare(cwd) {
    execFileSync("tar", ["-C", `${cwd}/data`, "-czf", `${cwd}/data.tgz`, "."]);
    await bundle(["pack", "docs", "-o", "docs.sfs"], { cwd });
  },
  args: ["pack", "app", "more", "data.tgz:/srv/data", "docs.sfs:/share", "-o", "out.sfs"],
  async check(cwd) {
    const { stdout } = await bundle(["dump", "out.sfs", "--no-times", "--no-digests"], { cwd });
    const files = stdout.split("\n").filter((line) => line.includes(" file "));
    expect(files.map((line) => line.split(" ")[0])).toEqual([
      "/bin/app",
      "/bin/tool",
      "/share/a:b",
      "/share/text",
      "/srv/data/table",
    ]);
  },
} satisfies Case;
