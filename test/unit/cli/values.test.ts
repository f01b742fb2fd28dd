import { describe, expect, test } from "vitest";
import * as values from "../../../builder/cli/values.ts";
import { checkOptions } from "../../../builder/config/validate.ts";

const refused = expect.objectContaining({ code: "E_OPTION_VALUE", exitStatus: 2 });

describe("--compression", () => {
  test.each([
    ["zstd", { compression: "zstd" }],
    ["zstd:22", { compression: "zstd", level: 22 }],
    ["gzip:9", { compression: "gzip", level: 9 }],
    ["xz:0", { compression: "xz", level: 0 }],
    ["none", { compression: "none" }],
  ])("takes %s", (text, value) => {
    expect(values.parseCompression(text)).toEqual(value);
  });

  test.each(["", "lzo", "xz:-1", "zstd:23", "zstd:x", "zstd:", "zstd:3:4"])(
    "of %j is no value",
    (text) => {
      const value = values.parseCompression(text);
      expect(() => checkOptions("build", value)).toThrow(refused);
    },
  );
});

describe("--block-size", () => {
  test.each([
    ["4096", 4096],
    ["4K", 4096],
    ["128k", 131072],
    ["1M", 1048576],
    ["1MiB", 1048576],
  ])("takes %s", (text, bytes) => {
    expect(values.parseSize(text)).toBe(bytes);
  });

  test.each(["", "0", "2K", "2M", "100K", "-4K", "4.5K", "1G", "K"])(
    "of %j is no value",
    (text) => {
      const blockSize = values.parseSize(text);
      expect(() => checkOptions("build", { blockSize })).toThrow(refused);
    },
  );
});

test("--hot-budget takes sizes", () => {
  expect(["1", "32M", "1g", "64KiB"].map(values.parseSize)).toEqual([1, 2 ** 25, 2 ** 30, 65536]);
  for (const text of ["", "0", "M", "1T", "1.5M", "-1", "32 M", "2048G", "9999999999999"]) {
    const hotBudget = values.parseSize(text);
    expect(() => checkOptions("build", { hotBudget })).toThrow(refused);
  }
});

test("--threads takes 1 to 256", () => {
  expect(["1", "256"].map(values.parseNumber)).toEqual([1, 256]);
  for (const text of ["", "0", "257", "two", "1.5", "-1", "1e2", " 1"]) {
    const threads = values.parseNumber(text);
    expect(() => checkOptions("build", { threads })).toThrow(refused);
  }
});

test("--arch takes the names of uname, Node and Debian", () => {
  expect(["x86_64", "x64", "amd64"].map(values.parseArch)).toEqual(Array(3).fill("x86_64"));
  expect(["aarch64", "arm64"].map(values.parseArch)).toEqual(Array(2).fill("aarch64"));
  expect(() => checkOptions("build", { arch: values.parseArch("i386") })).toThrow(refused);
});
