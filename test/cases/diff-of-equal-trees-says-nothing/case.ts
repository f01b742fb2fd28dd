import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/text": "text", "app/link": { link: "text" } },
  async prepare(cwd) {
    await bundle(["build", "app", "-o", "out"], { cwd });
    await bundle(["pack", "app", "-o", "out.sfs", "--compression", "lz4"], { cwd });
  },
  args: ["diff", "app", "out", "--no-times", "--no-owners"],
  async check(cwd, { stdout }) {
    expect(stdout).toBe("");
    expect(await bundle(["diff", "out", "out", "--json"], { cwd })).toMatchObject({ status: 0 });
    const images = await bundle(["diff", "out", "out.sfs", "--json"], { cwd });
    expect(images.status).toBe(1);
    expect(JSON.parse(images.stdout)).toMatchObject({ same: false, differences: [] });
  },
} satisfies Case;
