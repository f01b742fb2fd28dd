import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { notices, progressBar } from "../../../builder/cli/progress.ts";

const half = { bytes: 512, totalBytes: 1024, files: 1, totalFiles: 2 };
const wasTerminal = process.stderr.isTTY;
let written = "";

beforeEach(() => {
  written = "";
  vi.useFakeTimers();
  vi.stubEnv("CI", undefined);
  vi.stubEnv("TERM", "xterm");
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written += text;
    return true;
  });
});

afterEach(() => {
  process.stderr.isTTY = wasTerminal;
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** What is written to stderr by work that takes `milliseconds` and is then half done. */
function shownAfter(milliseconds: number, isTerminal: boolean): string {
  process.stderr.isTTY = isTerminal;
  const bar = progressBar();
  bar.update({ ...half, bytes: 0 });
  vi.advanceTimersByTime(milliseconds);
  bar.update(half);
  bar.stop();
  return written;
}

test("long work on a terminal shows how far it is", () => {
  expect(shownAfter(600, true)).toContain("50%  512 bytes of 1.0 KiB, 1 of 2 files");
});

test("short work shows nothing", () => {
  expect(shownAfter(400, true)).toBe("");
});

test("nothing is shown in a pipe", () => {
  expect(shownAfter(600, false)).toBe("");
});

test.each([
  ["CI", "true"],
  ["TERM", "dumb"],
])("nothing is shown with %s=%s", (name, value) => {
  vi.stubEnv(name, value);
  expect(shownAfter(600, true)).toBe("");
});

describe("what takes long is named", () => {
  /** Two steps of so many milliseconds. */
  function said(isTerminal: boolean, ...steps: number[]): string[] {
    process.stderr.isTTY = isTerminal;
    const lines: string[] = [];
    const { step, stop } = notices((line) => lines.push(line));
    for (const [index, milliseconds] of steps.entries()) {
      step(`step ${index}`);
      vi.advanceTimersByTime(milliseconds);
    }
    stop();
    vi.advanceTimersByTime(10_000);
    return lines;
  }

  test("once, in a pipe", () => {
    expect(said(false, 1900, 9000, 100, 2100)).toEqual(["step 1 ...", "step 3 ..."]);
  });

  test("not on a terminal, which has the bar", () => {
    expect(said(true, 9000)).toEqual([]);
  });

  test("not when all is short", () => {
    expect(said(false, 1900, 1900)).toEqual([]);
  });
});
