import { expect, test } from "vitest";
import { imageOptions } from "../../../builder/config/image-options.ts";

test("what was not chosen is left to the writer", () => {
  expect(imageOptions({})).toEqual({});
});

test("choices become the writer's options", () => {
  const choices = { compression: "gzip", level: 3, keepMtimes: true, keepOwners: true } as const;
  expect(imageOptions({ ...choices, exclude: ["x"], xattrs: false })).toEqual({
    compression: "gzip",
    level: 3,
    mtime: "keep",
    owners: "keep",
    xattrs: false,
  });
});
