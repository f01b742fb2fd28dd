import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { assembleArgs, ownImage, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  prepare: (dir) => packApp(dir),
  program: "fuselage-bundle",
  args: ["--archive", "app.sfs", "--output", "alias", "--name", "out", "--", ...ownImage],
  async check(cwd) {
    expect(await bundle(assembleArgs(), { cwd })).toMatchObject({ status: 0 });
    expect(readFileSync(`${cwd}/alias`).equals(readFileSync(`${cwd}/out.run`))).toBe(true);
  },
} satisfies Case;
