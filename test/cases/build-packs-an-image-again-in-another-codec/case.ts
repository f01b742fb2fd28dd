import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/text": "words ".repeat(50_000) },
  async prepare(cwd) {
    await bundle(["pack", "app", "-o", "old.sfs"], { cwd });
  },
  args: [
    "build",
    "old.sfs",
    "-o",
    "out",
    "--compression",
    "xz",
    "--variant",
    "x86,arm",
    "--dir",
    "new",
  ],
  async check(cwd) {
    const { stdout } = await bundle(["inspect", "out", "--json"], { cwd });
    expect(JSON.parse(stdout).image).toMatchObject({ compression: "xz" });
    const listed = async (file: string) =>
      (await bundle(["dump", file], { cwd })).stdout
        .split("\n")
        .filter((line) => !line.startsWith("/new "));
    expect(await listed("out")).toEqual(await listed("old.sfs"));
  },
} satisfies Case;
