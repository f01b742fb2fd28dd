import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

const text = (of: string, length: number) => `${of} of a file\n`.repeat(9000).slice(0, length);

export default {
  // Whole blocks with and without an end, an end that is zeros, small files, the same twice, an empty one.
  files: {
    "app/large": text("large", 9000),
    "app/whole": text("whole", 8192),
    "app/zeros": Buffer.concat([Buffer.from(text("zeros", 4096)), Buffer.alloc(50)]),
    "app/small": text("small", 700),
    "app/again": text("small", 700),
    "app/other": text("other", 900),
    "app/empty": "",
  },
  args: ["pack", "app", "-o", "plain.sfs", "--block-size", "4096", "--json"],
  stdout: /"fragments": 1,/,
  async check(cwd) {
    // Blocks: 2 of large, 2 of whole, 1 of zeros; ends: large, small, other.
    for (const [option, blocks, fragments] of [
      ["--no-tail-packing", 7, 1],
      ["--no-fragments", 8, 0],
    ] as const) {
      const args = ["pack", "app", "-o", "out.sfs", "--block-size", "4096", option, "--json"];
      const { image } = JSON.parse((await bundle(args, { cwd })).stdout);
      expect(image).toMatchObject({ blocks, fragments, duplicates: 1 });
      const left = ["--no-times", "--no-owners"];
      const diff = await bundle(["diff", "out.sfs", "app", ...left], { cwd });
      expect(diff).toMatchObject({ status: 0, stdout: "" });
    }
  },
} satisfies Case;
