import { expect } from "vitest";
import { assembleArgs, ownImage, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

const invocation = [...ownImage, "--", "--json", "--name=x", "--", ""];

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs(...invocation),
  stdout: /^out\.run: /,
  async check(cwd) {
    const { stdout } = await bundle(["inspect", "out.run", "--json"], { cwd });
    expect(JSON.parse(stdout).manifest.invocation).toEqual(invocation);
  },
} satisfies Case;
