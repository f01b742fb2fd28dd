import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { encodeCompressorOptions } from "../../../builder/squashfs/compressor-options.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("defaults need no block", () => {
  expect(encodeCompressorOptions("zstd", 15)).toBeUndefined();
  expect(encodeCompressorOptions("gzip", 9)).toBeUndefined();
  expect(encodeCompressorOptions("none", undefined)).toBeUndefined();
});

for (const [codec, level] of [
  ["zstd", 3],
  ["zstd", 22],
  ["gzip", 1],
] as const) {
  skipUnless("mksquashfs")(`${codec} ${level} is said as mksquashfs says it`, () => {
    const dir = temporaryDirectory();
    writeFileSync(`${dir}/file`, "x");
    const args = [`${dir}/file`, `${dir}/image`, "-comp", codec, "-Xcompression-level", `${level}`];
    execFileSync("mksquashfs", [...args, "-quiet", "-no-progress"], { stdio: "ignore" });
    const ours = encodeCompressorOptions(codec, level);
    const theirs = readFileSync(`${dir}/image`).subarray(96, 96 + (ours?.length ?? 0));
    expect(ours).toEqual(theirs);
  });
}
