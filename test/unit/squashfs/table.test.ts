import { expect, test } from "vitest";
import { encodeOffsets, encodeTable } from "../../../builder/squashfs/table.ts";

test("a table is its blocks and then, at `start`, their offsets in the image", () => {
  const { bytes, size, start } = encodeTable(Buffer.alloc(8192 + 16, 1), 5000, () => null);
  const all = Buffer.concat(bytes);
  expect(all.length).toBe(size);
  expect(start).toBe(5000 + 8192 + 2 + 16 + 2);
  expect(all.readBigUInt64LE(start - 5000)).toBe(5000n);
  expect(all.readBigUInt64LE(start - 5000 + 8)).toBe(5000n + 8194n);
  expect(size).toBe(start - 5000 + 16);
});

test("offsets have 64 bits", () => {
  expect(encodeOffsets([0, 1], 2 ** 40).toString("hex")).toBe("00000000000100000100000000010000");
});
