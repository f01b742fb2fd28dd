import { execFileSync } from "node:child_process";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  needs: ["mksquashfs"],
  files: smallApp,
  prepare(cwd) {
    execFileSync("mksquashfs", ["app", "image", "-comp", "xz", "-quiet", "-no-progress"], { cwd });
  },
  args: ["extract", "image", "-d", "there"],
  async check(cwd) {
    execFileSync("diff", ["-r", "app", "there"], { cwd });
    const { stdout } = await bundle(["inspect", "image", "--json"], { cwd });
    expect(JSON.parse(stdout)).toMatchObject({ kind: "image", image: { compression: "xz" } });
  },
} satisfies Case;
