import { expect, test } from "vitest";
import { calledCommand, flagNames } from "../../../builder/cli/option-flags.ts";
import { formatBytes, formatError, printable } from "../../../builder/cli/print.ts";
import { BundleError } from "../../../builder/errors.ts";

test("a failure is printed on one line, with its hint on the next", () => {
  const details = { path: "app/x", expected: "a file", actual: "a fifo", hint: "Do this." };
  const place = { program: "bundle", names: flagNames([], "bundle") };
  expect(formatError(new BundleError("E_FILE_KIND", "is not packed", details), place)).toBe(
    "bundle: [E_FILE_KIND] app/x: is not packed: expected a file, found a fifo\n  Do this.\n",
  );
  expect(formatError(new BundleError("E_FILE_KIND", "is not packed", { hint: "So." }), place)).toBe(
    "bundle: [E_FILE_KIND] is not packed\n  So.\n",
  );
});

test("help is advised by the command that was given", () => {
  const error = new BundleError("E_ARGUMENT", "APP is missing");
  const shown = (argv: string[], program = "bundle") => {
    const command = calledCommand(argv, program);
    return formatError(error, { program, names: flagNames(argv, program), command });
  };
  expect(shown(["build"])).toContain("`bundle build --help`");
  expect(shown(["nothing"])).toContain("`bundle COMMAND --help`");
  expect(shown([], "fuselage-bundle")).toContain("`fuselage-bundle --help`");
});

test("names cannot rewrite the terminal", () => {
  expect(printable("a\nb\x1b[2J\u202eend ü")).toBe("a\\x0ab\\x1b[2J\\xe2\\x80\\xaeend ü");
});

test.each([
  [0, "0 bytes"],
  [1023, "1023 bytes"],
  [1536, "1.5 KiB"],
  [5 * 1024 ** 2, "5.0 MiB"],
  [3 * 1024 ** 3, "3.0 GiB"],
])("%i is %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
