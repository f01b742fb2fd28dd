/** Rows of options.json, completed: rules, texts that name values, choices by machine. */
import path from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../../support/process.ts";

type Row = Record<string, unknown>;

const { expandOptions } = (await import(path.join(root, "scripts/generate/options.mjs"))) as {
  expandOptions: (options: object, machines: object) => { commands: { options: Row[] }[] };
};

const rules = {
  size: { summary: "{min} to {max}", min: 4096, max: 1048576, powerOfTwo: true },
  level: { summary: "{levels.a.max} at most", levels: { a: { max: 9 } } },
  machine: { summary: "one of {choices}", choices: { machines: "linux-{node}" } },
};
const machines = { built: [{ node: "x" }, { node: "y" }, { node: "z" }] };

/** The one row of a table of one command. */
function expanded(row: Row): Row | undefined {
  const table = {
    rules,
    commands: [{ options: [row] }],
    run: { options: [] },
    runner: { options: [] },
  };
  return expandOptions(table, machines).commands[0]?.options[0];
}

describe("a row", () => {
  test("has what its rule says, and says more itself", () => {
    expect(expanded({ name: "s", rule: "size", short: "s" })).toEqual({
      ...rules.size,
      name: "s",
      short: "s",
      summary: "4K to 1M",
    });
  });

  test.each<[Row, string]>([
    [{ name: "s", rule: "size", summary: "up to {max}" }, "up to 1M"],
    [{ name: "s", rule: "size", max: 8192 }, "4K to 8K"],
    [{ name: "l", rule: "level" }, "9 at most"],
    [{ name: "m", rule: "machine" }, "one of linux-x, linux-y or linux-z"],
    [{ name: "c", summary: "{choices}", choices: ["a", "b"] }, "a or b"],
    [{ name: "v", summary: "${HOME} is no value of a row" }, "${HOME} is no value of a row"],
  ])("%j says %j", (row, summary) => {
    expect(expanded(row)?.["summary"]).toBe(summary);
  });

  test.each<[Row, RegExp]>([
    [{ name: "x", rule: "nothing" }, /x: there is no rule nothing/],
    [{ name: "x", summary: "{min} or more" }, /x has no min/],
    [{ name: "x", rule: "level", summary: "{levels.b.max}" }, /x has no levels\.b\.max/],
  ])("%j is refused", (row, message) => {
    expect(() => expanded(row)).toThrow(message);
  });
});
