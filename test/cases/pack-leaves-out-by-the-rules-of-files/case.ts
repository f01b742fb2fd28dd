import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: {
    ...smallApp,
    "one.ignore": "*.a\n*.b\n",
    "two.ignore": "!keep.a\n",
    "app/.bundleignore": "!keep.b\r\n",
    "app/x.a": "",
    "app/keep.a": "",
    "app/x.b": "",
    "app/keep.b": "",
  },
  args: [
    ...["pack", "app", "-o", "out.zip"],
    ...["--exclude-from", "one.ignore", "--exclude-from=two.ignore"],
  ],
  async check(cwd) {
    await bundle(["pack", "app", "-o", "whole.sfs", "--exclude-from", "one.ignore"], { cwd });
    const listed = async (file: string) => {
      const { stdout } = await bundle(["dump", file, "--no-times", "--no-digests"], { cwd });
      return stdout
        .split("\n")
        .flatMap((line) => (/^\/\S+\.[ab] /.test(line) ? [line[1] ?? ""] : []));
    };
    expect(await listed("whole.sfs")).toEqual(["k"]);
  },
} satisfies Case;
