import path from "node:path";
import { expect, test } from "vitest";
import { imageOptions } from "../../../builder/config/image-options.ts";
import { cacheDirectory } from "../../../builder/host/paths.ts";

test("what was not chosen is left to the writer, which keeps blocks", () => {
  expect(imageOptions({})).toEqual({
    blockCache: path.join(cacheDirectory(), "blocks"),
    fileRecords: path.join(cacheDirectory(), "files"),
  });
  expect(imageOptions({ cache: false })).toEqual({});
});

test("choices become the writer's options", () => {
  const choices = { compression: "gzip", level: 3, keepMtimes: true, keepOwners: true } as const;
  expect(imageOptions({ ...choices, exclude: ["x"], xattrs: false, cache: false })).toEqual({
    compression: "gzip",
    level: 3,
    mtime: "keep",
    owners: "keep",
    xattrs: false,
  });
});
