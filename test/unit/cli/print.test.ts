import { expect, test } from "vitest";
import { flagNames } from "../../../builder/cli/option-flags.ts";
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
