/** Values without characters: what a variable of the shell is that nobody has set. */
import { expect, test } from "vitest";
import { parseCommandLine } from "../../../builder/cli/parse.ts";
import { type CommandName, checkOptions } from "../../../builder/config/validate.ts";
import { optionRules } from "../../../builder/generated/spec.ts";

interface Rule {
  type: string;
  mayBeEmpty?: boolean;
}

const rules = Object.entries(optionRules).flatMap(([command, keys]) =>
  Object.entries(keys as Record<string, Rule>).map(
    ([key, rule]) => [command as CommandName, key, rule] as const,
  ),
);

test("no option takes one but arguments of the app", () => {
  const taken: string[] = [];
  for (const [command, key, { type }] of rules) {
    if (type !== "string" && type !== "list") continue;
    try {
      checkOptions(command, { [key]: type === "list" ? ["a=b", ""] : "" });
      taken.push(`${command} ${key}`);
    } catch (thrown) {
      expect(thrown, `${command} ${key}`).toMatchObject({ code: "E_OPTION_VALUE" });
    }
  }
  expect(taken.sort()).toEqual(
    [
      "assemble invocation",
      "build args",
      "export args",
      "profile args",
      "service args",
      "vm args",
    ].sort(),
  );
});

test.each([
  ["FILE", ["inspect", ""]],
  ["APP", ["build", "", "-o", "out"]],
  ["MORE", ["build", "app", "more", "", "-o", "out"]],
  ["DIR", ["mount", "file", ""]],
  ["PATH", ["extract", "file", "a", ""]],
  ["PATH", ["cat", "file", ""]],
  ["BUNDLE", ["vm", "run", ""]],
  ["BUNDLE", ["service", "remove", ""]],
  ["FILE", ["doctor", ""]],
])("%s cannot be empty: %j", (name, argv) => {
  expect(() => parseCommandLine(argv)).toThrow(
    expect.objectContaining({
      code: "E_ARGUMENT",
      message: expect.stringContaining(`${name} is empty`),
    }),
  );
});
