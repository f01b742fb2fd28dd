import { expect, test } from "vitest";
import { isComplete, parseRecording, startOf } from "../../../builder/profile/recording.ts";

const head = "fuselage recording 1\n";

test("reads stand in their order", () => {
  const text = `${head}0 7 0 1\n3 7 100 32\n12 4294967295 4503599627370495 1\nend\n`;
  expect(isComplete(text)).toBe(true);
  expect(parseRecording(text, "app.run")).toEqual([
    { at: 0, number: 7, first: 0, count: 1 },
    { at: 3, number: 7, first: 100, count: 32 },
    { at: 12, number: 4294967295, first: 4503599627370495, count: 1 },
  ]);
  expect(parseRecording(`${head}end\n`, "app.run")).toEqual([]);
});

test("a record is there when its last line is", () => {
  for (const text of ["", head, `${head}0 7 0 1\n`, `${head}0 7 0 1\nen`, `${head}0 7 0 1\nend`]) {
    expect(isComplete(text)).toBe(false);
  }
});

test.each([
  "",
  "fuselage recording 2\nend\n",
  `${head}0 7 0 1\n`,
  `${head}0 7 0\nend\n`,
  `${head}0 0 0 1\nend\n`,
  `${head}0 7 0 0\nend\n`,
  `${head}-1 7 0 1\nend\n`,
  `${head}0 7 0 1 \nend\n`,
  `${head}\nend\n`,
  `${head}0 7 99999999999999999999 1\nend\n`,
])("%j is no record", (text) => {
  expect(() => parseRecording(text, "app.run")).toThrow(
    expect.objectContaining({ code: "E_PROFILE_RECORDING", path: "app.run" }),
  );
});

test("a start ends where it was to end, or where nothing is read for long", () => {
  const at = [0, 100, 900, 3000, 3001, 9000];
  const reads = at.map((ms, i) => ({ at: ms, number: 1, first: i, count: 1 }));
  const firsts = (cut: { until?: number; idle: number }) =>
    startOf(reads, cut).map(({ first }) => first);
  expect(firsts({ idle: 2000 })).toEqual([0, 1, 2]);
  expect(firsts({ idle: 500 })).toEqual([0, 1]);
  expect(firsts({ idle: 10000 })).toEqual([0, 1, 2, 3, 4, 5]);
  // What was asked for counts, whatever pauses there are.
  expect(firsts({ until: 3000, idle: 500 })).toEqual([0, 1, 2, 3]);
  expect(firsts({ until: 0, idle: 500 })).toEqual([0]);
});
