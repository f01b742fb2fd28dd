/** Descriptions name the strategies as strategies.json lists them. */
import path from "node:path";
import { expect, test } from "vitest";
import { root } from "../../support/process.ts";

const { checkStrategies, parseWithStrategies } = await import(
  path.join(root, "scripts/generate/strategies.mjs")
);

const strategy = (name: string, shared = false, host = true) => ({ name, shared, host });
const some = [strategy("one", true), strategy("two"), strategy("three", false, false)];

const parsed = (value: unknown) => parseWithStrategies(JSON.stringify(value), some);

test.each([
  ["of {mountTypes}, or none", "of auto, one, two or three, or none"],
  ["{mountTypes default}", "auto (default), one, two or three"],
  ["{mountTypes default code}", "`auto` (default), `one`, `two` or `three`"],
  ["{hostMountTypes code}", "`auto`, `one` or `two`"],
  ["{other}", "{other}"],
])("%s", (text, expected) => {
  expect(parsed({ deep: [{ summary: text }] })).toEqual({ deep: [{ summary: expected }] });
});

test("choices become lists, and others stay as they are", () => {
  const choices = ["gzip", "zstd"];
  expect(
    parsed([{ choices: "{hostMountTypes}" }, { choices: "{mountTypes}" }, { choices }]),
  ).toEqual([
    { choices: ["auto", "one", "two"] },
    { choices: ["auto", "one", "two", "three"] },
    { choices },
  ]);
});

test.each([
  ["two that end alike", [strategy("loop", true), strategy("swap", true)]],
  ["the letter of a lost server", [strategy("box", true)]],
])("shared strategies are told apart by a letter: %s", (_, strategies) => {
  expect(() => checkStrategies(strategies)).toThrow(/letter/);
});

test("those that nobody shares may end alike", () => {
  expect(() => checkStrategies([strategy("mount", true), strategy("fusermount")])).not.toThrow();
});
