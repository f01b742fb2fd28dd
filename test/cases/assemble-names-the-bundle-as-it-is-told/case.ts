import { expect } from "vitest";
import { assembleArgs, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: ["assemble", "--name=other", "--arch=aarch64", ...assembleArgs().slice(1)],
  async check(cwd) {
    const { stdout } = await bundle(["inspect", "out.run", "--json"], { cwd });
    expect(JSON.parse(stdout)).toMatchObject({ arch: "aarch64", manifest: { name: "other" } });
  },
} satisfies Case;
