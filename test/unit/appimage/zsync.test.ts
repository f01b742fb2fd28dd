import { open, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { lengthsFor, zsyncOf } from "../../../builder/appimage/zsync.ts";
import { noise } from "../../support/image.ts";
import { skipUnless } from "../../support/needs.ts";
import { run } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function controlFile(bytes: Buffer, options = { name: "f", url: "f", mtime: 0 }) {
  const dir = temporaryDirectory();
  const file = path.join(dir, "f");
  await writeFile(file, bytes);
  const handle = await open(file);
  try {
    return { dir, bytes: await zsyncOf(handle, options) };
  } finally {
    await handle.close();
  }
}

describe("a control file", () => {
  skipUnless("zsync")("is what zsyncmake makes, for files of all sizes", async () => {
    for (const size of [1, 100, 2047, 2048, 2049, 4096, 5000, 300_000, 2_097_153]) {
      const { dir, bytes } = await controlFile(noise(size, `${size}`));
      const file = path.join(dir, "f");
      await run("touch", ["-d", "@0", file]);
      const theirs = `${file}.theirs`;
      const args = ["-u", "f", "-o", theirs, file];
      expect(await run("zsyncmake", args)).toMatchObject({ status: 0 });
      expect([size, bytes.equals(await readFile(theirs))]).toEqual([size, true]);
    }
  });

  test("has a header, an empty line and the checksums of each block", async () => {
    const { bytes } = await controlFile(Buffer.alloc(5000, "a"), { name: "n", url: "u", mtime: 1 });
    const end = bytes.indexOf("\n\n") + 2;
    const { rolling, strong } = lengthsFor(5000);
    expect(bytes.toString("latin1", 0, end).split("\n").slice(0, -2)).toEqual([
      "zsync: 0.6.2",
      "Filename: n",
      "MTime: Thu, 01 Jan 1970 00:00:01 +0000",
      "Blocksize: 2048",
      "Length: 5000",
      `Hash-Lengths: 2,${rolling},${strong}`,
      "URL: u",
      "SHA-1: 6aa9bf7df2242ef867558584c02160023a96f2f9",
    ]);
    expect(bytes.length - end).toBe(3 * (rolling + strong));
  });

  test("says no time when there is none", async () => {
    const options = { name: "n", url: "u", mtime: undefined };
    const { bytes } = await controlFile(Buffer.from("x"), options as never);
    expect(bytes.toString("latin1")).not.toContain("MTime");
  });
});

describe("checksums", () => {
  test.each([
    [1, 2048, 1, 2, 3],
    [2048, 2048, 1, 2, 4],
    [4096, 2048, 2, 2, 3],
    [99_999_999, 2048, 2, 2, 5],
    [100_000_000, 4096, 2, 2, 5],
    [4_000_000_000, 4096, 2, 3, 5],
  ])("of a file of %i bytes", (length, blockSize, sequence, rolling, strong) => {
    expect(lengthsFor(length)).toEqual({ blockSize, sequence, rolling, strong });
  });
});
