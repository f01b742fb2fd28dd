/** The data that everything is generated from: whole, and refused where a row hides another. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../../support/process.ts";

type Data = Record<string, unknown>;

const { readSpec } = (await import(path.join(root, "scripts/generate/spec.mjs"))) as {
  readSpec: (readText?: (file: string) => string) => Data;
};
const { layoutOf, offsetsOf } = (await import(path.join(root, "scripts/generate/layout.mjs"))) as {
  layoutOf: (fields: object[]) => { fields: object[]; size: number };
  offsetsOf: (fields: object[]) => Record<string, number>;
};

const read = (file: string) => JSON.parse(readFileSync(path.join(root, file), "utf8"));

/** The data, one file of it changed by `change`. */
function changed(name: string, change: (data: never) => void): () => Data {
  return () =>
    readSpec((file) => {
      const data = read(file);
      if (path.basename(file) === name) change(data as never);
      return JSON.stringify(data);
    });
}

/** Puts the first row of a list behind its last once more. */
const twice = (list: object[]) => list.push({ ...list[0] });

describe("the data", () => {
  test("is whole", () => {
    expect(readSpec()).toMatchObject({ version: read("package.json").version });
  });

  test.each<[string, () => Data, RegExp]>([
    ["an error", changed("errors.json", twice), /errors\.json: E_\w+ is not in sorted order/],
    [
      "an error beside itself",
      changed("errors.json", (list: object[]) => list.unshift({ ...list[0] })),
      /errors\.json: E_\w+ stands twice/,
    ],
    ["a warning", changed("warnings.json", twice), /warnings\.json: W_\w+ is not in sorted order/],
    [
      "a machine's other name",
      changed("machines.json", ({ built }: { built: { aliases: string[] }[] }) => {
        built[1]?.aliases.push("amd64");
      }),
      /machines\.json: amd64 stands twice/,
    ],
    [
      "an option of the runner",
      changed("options.json", ({ runner }: { runner: { options: object[] } }) =>
        twice(runner.options),
      ),
      /options\.json: fuselage: static stands twice/,
    ],
    [
      "a letter of an option",
      changed("options.json", ({ runner }: { runner: { options: { short?: string }[] } }) => {
        Object.assign(runner.options[1] ?? {}, { short: "s" });
      }),
      /options\.json: fuselage: letters: s stands twice/,
    ],
    [
      "a strategy that nobody shares",
      changed("strategies.json", (list: object[]) => list.push({ ...list[3] })),
      /strategies\.json: extract stands twice/,
    ],
    ["a cause", changed("causes.json", twice), /causes\.json: NONE stands twice/],
    [
      "the number of an error",
      changed("squashfs.json", ({ errors }: { errors: { value: number }[] }) => {
        Object.assign(errors[3] ?? {}, { value: -1 });
      }),
      /squashfs\.json: errors: -1 stands twice/,
    ],
  ])("is refused with %s twice", (_, act, message) => {
    expect(act).toThrow(message);
  });
});

test("a structure's fields stand one behind the other", () => {
  const fields = [
    { name: "a", bytes: 4 },
    { name: "b", bytes: 2 },
    { name: "c", bytes: 8 },
  ];
  expect(offsetsOf(fields)).toEqual({ a: 0, b: 4, c: 6, size: 14 });
  expect(layoutOf(fields).fields).toEqual([
    { name: "a", bytes: 4, offset: 0 },
    { name: "b", bytes: 2, offset: 4 },
    { name: "c", bytes: 8, offset: 6 },
  ]);
});
