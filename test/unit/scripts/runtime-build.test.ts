import path from "node:path";
import { expect, test } from "vitest";
import { cFiles, namesNothing } from "../../../scripts/build/runtime.mjs";
import { decoders } from "../../../scripts/build/third-party.mjs";
import { root } from "../../support/process.ts";

const ours = await cFiles(path.join(root, "runtime"));
const theirs = (await decoders()).flatMap(({ sources }) => sources);

test("what is built for speed and for size is there", () => {
  expect(namesNothing(ours, theirs)).toEqual([]);
});

test.each(["runtime/fuse/read.c", "runtime/squashfs/block_cache.c", "runtime/libc/sha256.c"])(
  "%s that is renamed is missed",
  (file) => {
    const renamed = ours.map((one) => (one.endsWith(file) ? one.replace(".c", "_2.c") : one));
    expect(namesNothing(renamed, theirs)).toEqual([`HOT: ${file}`]);
  },
);

test.each([
  ["zstd", "/lib/common/", "/lib/shared/"],
  ["zstd", "/lib/decompress/", "/lib/decode/"],
  ["liblzma", "/lzma/lzma2_decoder.c", "/lzma/lzma_two_decoder.c"],
  ["liblzma", "/liblzma/simple/", "/liblzma/filters/"],
  ["liblzma", "/liblzma/common/", "/liblzma/base/"],
])("parts of %s in another place are missed: %s", (_, before, after) => {
  const moved = theirs.map((file) => file.replace(before, after));
  expect(moved).not.toEqual(theirs);
  expect(namesNothing(ours, moved)).toEqual([expect.stringMatching(/^COLD: /)]);
});
