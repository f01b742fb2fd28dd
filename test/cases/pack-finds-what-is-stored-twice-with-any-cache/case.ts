import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { noise } from "../../support/image.ts";
import { bundle } from "../../support/process.ts";

const args = (output: string) => [
  "pack",
  "app",
  "-o",
  output,
  "--store",
  "**",
  "--block-size",
  "4096",
];

export default {
  // Of one size without an end, so that only their blocks tell them apart.
  files: {
    "app/a": noise(8192, "one"),
    "app/b": noise(8192, "other"),
    "app/c": noise(8192, "other"),
  },
  args: [...args("plain.sfs"), "--no-cache"],
  async check(cwd) {
    const env = { XDG_CACHE_HOME: path.join(cwd, "cache") };
    const wanted = readFileSync(path.join(cwd, "plain.sfs"));
    await setTimeout(2100); // What changed in the last moments is not recorded.
    for (let i = 0; i < 3; i++) {
      const { stdout } = await bundle([...args("out.sfs"), "--json"], { cwd, env });
      expect(JSON.parse(stdout).image.duplicates).toBe(1);
      expect(readFileSync(path.join(cwd, "out.sfs")).equals(wanted)).toBe(true);
    }
  },
} satisfies Case;
