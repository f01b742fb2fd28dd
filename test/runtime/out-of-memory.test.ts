/** Where there is no memory to read an image, nobody is told that the image is corrupt. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect } from "vitest";
import { mksquashfs } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** What reads images, and the least number of allocations that can fail in it. */
const STEPS = { open: 3, check: 4, extract: 8, entry: 5, explain: 6, bundle: 8 };

const check = skipUnless("gcc", "mksquashfs");
let program: string;
let tree: string;
beforeAll(async () => {
  program = (await buildSanitized()).outOfMemory;
  tree = temporaryDirectory();
  mkdirSync(path.join(tree, "data/deeper"), { recursive: true });
  writeFileSync(path.join(tree, "program"), "text\n".repeat(60_000));
  // In parts, by several threads.
  writeFileSync(path.join(tree, "data/large"), Buffer.alloc(9 << 20, "large"));
  for (let i = 0; i < 40; i++) writeFileSync(path.join(tree, `data/deeper/${i}`), `${i}\n`);
}, 600_000);

for (const compression of ["zstd", "gzip", "xz", "lz4"]) {
  check(`at each allocation of each step, ${compression}`, async () => {
    const image = await mksquashfs(tree, "-comp", compression);
    const directory = temporaryDirectory();
    const { status, stdout, stderr } = await run(program, [image, directory]);
    expect({ status, stderr, failed: stdout.match(/^.* with .*$/m) }).toEqual({
      status: 0,
      stderr: "",
      failed: null,
    });
    const counts = Object.fromEntries(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ")),
    );
    expect(Object.keys(counts)).toEqual(Object.keys(STEPS));
    for (const [step, least] of Object.entries(STEPS)) {
      expect(Number(counts[step]), step).toBeGreaterThanOrEqual(least);
    }
    expect(readdirSync(directory)).toEqual([]);
  });
}
