import { expect, test } from "vitest";
import { clockText, parseLine } from "../../../../builder/vm/host/control.ts";

test("lines of the guest", () => {
  expect(parseLine("H 1")).toEqual({ kind: "hello", version: 1 });
  expect(parseLine("U init=1.5 modules=2 app=30")).toEqual({
    kind: "up",
    times: { init: 1.5, modules: 2, app: 30 },
  });
  expect(parseLine("N two  words")).toEqual({ kind: "notice", text: "two  words" });
  expect(parseLine("F E_GUEST_START the image: no")).toEqual({
    kind: "failure",
    code: "E_GUEST_START",
    text: "the image: no",
  });
  expect(parseLine("A 2")).toEqual({ kind: "ended", signals: 2 });
  expect(parseLine("D 10 3")).toEqual({ kind: "done", out: 10, err: 3 });
  expect(parseLine("X 256 120")).toEqual({ kind: "exit", status: 256, resident: 120 });
});

test("a line of another version's is passed over", () => {
  expect(parseLine("Q 1")).toBeUndefined();
  expect(parseLine("")).toBeUndefined();
});

test("the clock has nine digits of a second", () => {
  expect(clockText(1_700_000_000_001.25)).toBe("1700000000.001250000");
  expect(clockText(5)).toBe("0.005000000");
});
