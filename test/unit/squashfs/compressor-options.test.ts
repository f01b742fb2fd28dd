import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { encodeCompressorOptions } from "../../../builder/squashfs/compressor-options.ts";
import { resolveOptions, type WriteOptions } from "../../../builder/squashfs/squashfs-options.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const encode = (options: WriteOptions) => encodeCompressorOptions(resolveOptions(options, 1));

test("defaults need no block", () => {
  for (const compression of ["zstd", "xz", "gzip", "none"] as const) {
    expect(encode({ compression })).toBeUndefined();
  }
});

const level = (number: number) => ["-Xcompression-level", `${number}`];

const said: [WriteOptions, string[]][] = [
  [{ compression: "zstd", level: 3 }, level(3)],
  [{ compression: "zstd", level: 22 }, level(22)],
  [{ compression: "gzip", level: 1 }, level(1)],
  [
    { compression: "gzip", variants: ["filtered", "fixed", "default"] },
    ["-Xstrategy", "default,filtered,fixed"],
  ],
  [
    { compression: "gzip", level: 4, variants: ["huffman-only", "run-length"] },
    [...level(4), "-Xstrategy", "huffman_only,run_length_encoded"],
  ],
  [{ compression: "xz", variants: ["x86"] }, ["-Xbcj", "x86"]],
  [
    { compression: "xz", blockSize: 8192, variants: ["sparc", "arm", "armthumb"] },
    ["-b", "8192", "-Xbcj", "arm,armthumb,sparc"],
  ],
  [{ compression: "xz", variants: ["powerpc", "ia64"] }, ["-Xbcj", "powerpc,ia64"]],
  [{ compression: "lz4" }, []],
  [{ compression: "lz4", level: 12 }, ["-Xhc"]],
];

for (const [options, args] of said) {
  skipUnless("mksquashfs")(`${JSON.stringify(options)} is said as mksquashfs says it`, () => {
    const dir = temporaryDirectory();
    writeFileSync(`${dir}/file`, "x");
    const given = [`${dir}/file`, `${dir}/image`, "-comp", options.compression ?? "zstd", ...args];
    execFileSync("mksquashfs", [...given, "-quiet", "-no-progress"], { stdio: "ignore" });
    const ours = encode(options);
    const theirs = readFileSync(`${dir}/image`).subarray(96, 96 + (ours?.length ?? 0));
    expect(ours).toEqual(theirs);
  });
}
