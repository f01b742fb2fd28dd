import { describe, expect, test } from "vitest";
import {
  type AssembleOptions,
  resolveAssembleOptions,
} from "../../../builder/config/assemble-options.ts";
import { ownImage } from "../../support/archive.ts";

const good: AssembleOptions = { archive: "a.sfs", output: "dir/tool.run", invocation: ownImage };

test.each([
  ["dir/tool.run", "tool"],
  ["tool", "tool"],
  [".run", ".run"],
  ["a.run.run", "a.run"],
])("a bundle %s is called %s", (output, name) => {
  expect(resolveAssembleOptions({ ...good, output }).name).toBe(name);
});

describe("a wrong value is refused:", () => {
  test.each<[Record<string, unknown>, string]>([
    [{ archive: "" }, "E_OPTION_MISSING"],
    [{ output: "" }, "E_OPTION_MISSING"],
    [{ colour: "blue" }, "E_OPTION_UNKNOWN"],
    [{ name: "a/b" }, "E_OPTION_VALUE"],
    [{ arch: "sparc" }, "E_OPTION_VALUE"],
    [{ archive: "a\0b" }, "E_OPTION_VALUE"],
    [{ invocation: ["true", "a\0b"] }, "E_OPTION_VALUE"],
    [{ invocation: [] }, "E_USAGE"],
  ])("%j", (change, code) => {
    const given = { ...good, ...change } as AssembleOptions;
    expect(() => resolveAssembleOptions(given)).toThrow(expect.objectContaining({ code }));
  });
});
