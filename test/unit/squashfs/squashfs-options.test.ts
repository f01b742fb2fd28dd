import { describe, expect, test } from "vitest";
import {
  defaultMtime,
  resolveOptions,
  type WriteOptions,
} from "../../../builder/squashfs/squashfs-options.ts";

const refused = expect.objectContaining({ code: "E_OPTION_VALUE" });

test("the defaults", () => {
  expect(resolveOptions({ mtime: 5 }, 4)).toEqual({
    compression: "zstd",
    level: 15,
    variants: 0,
    blockSize: 131072,
    mtime: 5,
    owners: { uid: 0, gid: 0 },
    xattrs: true,
    fragments: "all",
    order: "directory",
    exports: true,
    threads: 4,
  });
  expect(resolveOptions({ compression: "gzip" }, 1).level).toBe(9);
  expect(resolveOptions({ compression: "none" }, 1).level).toBeUndefined();
  expect(resolveOptions({}, 1000).threads).toBe(256);
});

describe("refused", () => {
  test.each<WriteOptions>([
    { mtime: -1 },
    { mtime: 2 ** 32 },
    { owners: { uid: -1, gid: 0 } },
    { owners: { uid: 0, gid: 2 ** 32 } },
  ])("%j", (options) => {
    expect(() => resolveOptions(options, 2)).toThrow(refused);
  });
});

describe("the time of all files", () => {
  test("is 1980-01-01 unless SOURCE_DATE_EPOCH says otherwise", () => {
    expect(new Date(defaultMtime({}) * 1000).toISOString()).toBe("1980-01-01T00:00:00.000Z");
    expect(defaultMtime({ SOURCE_DATE_EPOCH: "" })).toBe(defaultMtime({}));
    expect(defaultMtime({ SOURCE_DATE_EPOCH: "0" })).toBe(0);
    expect(defaultMtime({ SOURCE_DATE_EPOCH: "4294967295" })).toBe(4294967295);
  });
  test.each(["4294967296", "-1", "1.5", "now", " 1", "0x10"])("is not %j", (text) => {
    expect(() => defaultMtime({ SOURCE_DATE_EPOCH: text })).toThrow(refused);
  });
});
