import { readFileSync, statSync } from "node:fs";
import { expect } from "vitest";
import { assembleArgs, ownImage, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs(),
  async check(cwd) {
    const { stdout } = await bundle(["inspect", "out.run", "--json"], { cwd });
    const { manifest, image, kind } = JSON.parse(stdout);
    const archive = readFileSync(`${cwd}/app.sfs`);
    expect(kind).toBe("bundle");
    expect(manifest).toMatchObject({ name: "out", invocation: ownImage, args: [], env: [] });
    expect(manifest).not.toHaveProperty("entry");
    expect(manifest.imageSize).toBe(archive.length);
    const file = readFileSync(`${cwd}/out.run`);
    expect(file.subarray(image.offset).equals(archive)).toBe(true);
    expect(statSync(`${cwd}/out.run`).mode & 0o100).toBe(0o100);
  },
} satisfies Case;
