/** A short run of the fuzz target; `npm run fuzz` goes on for as long as it is told. */
import { rmSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect } from "vitest";
import { mksquashfs } from "../support/bundle-of.ts";
import { everyType } from "../support/every-type.ts";
import { skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const ROUNDS = 250;

const images: [string, string, string[]][] = [
  ["nothing compressed", "bytes", ["-noI", "-noD", "-noF", "-noX"]],
  ["zstd, tables stored", "bytes", ["-comp", "zstd", "-noI", "-noX", "-b", "4K"]],
  ["gzip", "bytes", ["-comp", "gzip"]],
  ["xz with filters", "bytes", ["-comp", "xz", "-Xbcj", "x86,arm"]],
  ["lz4", "bytes", ["-comp", "lz4"]],
  ["nothing compressed", "fields", ["-noI", "-noD", "-noF", "-noX"]],
  ["zstd, tables stored", "fields", ["-comp", "zstd", "-noI", "-noX", "-b", "4K"]],
];

const check = skipUnless("gcc", "mksquashfs", "xattrs");
let fuzzReader: string;
let tree: string;
beforeAll(async () => {
  fuzzReader = (await buildSanitized()).fuzzReader;
  tree = everyType();
  // Small images: a round is to hit structures, not to hash megabytes.
  for (const name of ["random", "text-again", "one-block"]) rmSync(path.join(tree, "files", name));
}, 600_000);

for (const [title, what, options] of images) {
  check(`${ROUNDS} images with changed ${what}, ${title}: no crash, no hang`, async () => {
    const image = await mksquashfs(tree, ...options);
    const outcome = await run(fuzzReader, [image, "1", `${ROUNDS}`, what], {
      timeout: 300_000,
      env: { TMPDIR: temporaryDirectory() },
    });
    expect(outcome).toEqual({ status: 0, signal: null, stdout: `${ROUNDS} rounds\n`, stderr: "" });
  });
}
