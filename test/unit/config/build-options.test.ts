import { expect, test } from "vitest";
import { type BuildOptions, resolveBuildOptions } from "../../../builder/config/build-options.ts";

const given = { input: "some/app", output: "app.run" };

test("what is not given gets its default", () => {
  expect(resolveBuildOptions(given)).toMatchObject({ name: "app", args: [], env: [] });
  expect(resolveBuildOptions({ ...given, input: "some/app/" }).name).toBe("app");
  expect(resolveBuildOptions({ ...given, input: "/" }).name).toBe("app");
});

test.each<[string, object, string]>([
  ["an unknown key", { entrypoint: "x" }, "E_OPTION_UNKNOWN"],
  ["no input", { input: "" }, "E_OPTION_MISSING"],
  ["no output", { output: "" }, "E_OPTION_MISSING"],
  ["an empty entry", { entry: "" }, "E_OPTION_VALUE"],
  ["an entry with NUL", { entry: "a\0b" }, "E_OPTION_VALUE"],
  ["an argument with NUL", { args: ["a\0b"] }, "E_OPTION_VALUE"],
  ["a variable without =", { env: ["PATH"] }, "E_OPTION_VALUE"],
  ["a variable without a name", { env: ["=x"] }, "E_OPTION_VALUE"],
  ["a variable with NUL", { env: ["A=\0"] }, "E_OPTION_VALUE"],
  ["an empty name", { name: "" }, "E_OPTION_VALUE"],
  ["a name with a slash", { name: "a/b" }, "E_OPTION_VALUE"],
  ["a name with a newline", { name: "a\nb" }, "E_OPTION_VALUE"],
  ["a name of 256 bytes", { name: "x".repeat(256) }, "E_OPTION_VALUE"],
  ["the name ..", { name: ".." }, "E_OPTION_VALUE"],
  ["an unknown architecture", { arch: "vax" }, "E_OPTION_VALUE"],
])("%s is refused", (_, options, code) => {
  const all = { ...given, ...options } as BuildOptions;
  expect(() => resolveBuildOptions(all)).toThrow(expect.objectContaining({ code }));
});
