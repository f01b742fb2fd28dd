import { expect, test } from "vitest";
import { nearest } from "../../../builder/config/nearest-name.ts";

const names = ["build", "inspect", "extract", "runtime"];

test.each([
  ["biuld", "build"],
  ["inspct", "inspect"],
  ["xtract", "extract"],
  ["run", "runtime"],
  ["zzz", undefined],
  ["", undefined],
])("%j is near %j", (given, found) => {
  expect(nearest(given, names)).toBe(found);
});
