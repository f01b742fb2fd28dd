import { describe, expect, test } from "vitest";
import { type PackOptions, resolvePackOptions } from "../../../builder/config/pack-options.ts";

const good: PackOptions = { input: "app", output: "out.sfs" };

test.each([
  ["out.sfs", "sfs"],
  ["out.squashfs", "sfs"],
  ["dir.b64/out.zip", "zip"],
  ["out.b64", "b64"],
])("%s is of format %s", (output, format) => {
  expect(resolvePackOptions({ ...good, output }).format).toBe(format);
});

test("the format may be said", () => {
  expect(resolvePackOptions({ ...good, format: "zip" }).format).toBe("zip");
});

describe("a wrong value is refused:", () => {
  const zip = { output: "out.zip" };
  const b64 = { output: "out.b64" };
  test.each<[Record<string, unknown>, string]>([
    [{ input: "" }, "E_OPTION_MISSING"],
    [{ output: "" }, "E_OPTION_MISSING"],
    [{ output: "out" }, "E_OPTION_MISSING"],
    [{ output: "out\0.sfs" }, "E_OPTION_VALUE"],
    [{ colour: "blue" }, "E_OPTION_UNKNOWN"],
    [{ format: "tar" }, "E_OPTION_VALUE"],
    [{ shebang: "/bin/sh" }, "E_OPTION_CONFLICT"],
    [{ ...b64, shebang: "" }, "E_OPTION_VALUE"],
    [{ ...b64, shebang: "sh" }, "E_OPTION_VALUE"],
    [{ ...b64, shebang: `/${"x".repeat(253)}` }, "E_OPTION_VALUE"],
    [{ ...zip, devices: true }, "E_OPTION_CONFLICT"],
    [{ ...zip, threads: 2 }, "E_OPTION_CONFLICT"],
    [{ ...zip, compression: "zstd" }, "E_OPTION_VALUE"],
    [{ ...zip, compression: "gzip", level: 10 }, "E_OPTION_VALUE"],
    [{ ...zip, compression: "none", level: 1 }, "E_OPTION_VALUE"],
  ])("%j", (change, code) => {
    const given = { ...good, ...change } as PackOptions;
    expect(() => resolvePackOptions(given)).toThrow(expect.objectContaining({ code }));
  });
});
