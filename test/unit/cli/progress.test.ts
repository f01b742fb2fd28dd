import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { progressBar } from "../../../builder/cli/progress.ts";

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
