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
async function shownAfter(milliseconds: number, isTerminal: boolean): Promise<string> {
  process.stderr.isTTY = isTerminal;
  const bar = progressBar();
  // What draws it is loaded meanwhile.
  await vi.dynamicImportSettled();
  bar.update({ ...half, bytes: 0 });
  vi.advanceTimersByTime(milliseconds);
  bar.update(half);
  bar.stop();
  return written;
}

test("long work on a terminal shows how far it is", async () => {
  expect(await shownAfter(600, true)).toContain("50%  512 bytes of 1.0 KiB, 1 of 2 files");
});

test("what is fetched has a bar of its own, before that of what is packed", async () => {
  process.stderr.isTTY = true;
  const bar = progressBar();
  await vi.dynamicImportSettled();
  vi.advanceTimersByTime(600);
  bar.fetch({ bytes: 256, totalBytes: 1024, blobs: 1, totalBlobs: 3 });
  // More is asked for on the way.
  vi.advanceTimersByTime(600);
  bar.fetch({ bytes: 1024, totalBytes: 4096, blobs: 2, totalBlobs: 4 });
  expect(written).toContain("25%  256 bytes of 1.0 KiB, 1 of 3 blobs");
  expect(written).toContain("25%  1.0 KiB of 4.0 KiB, 2 of 4 blobs");
  bar.update(half);
  expect(written).toContain("50%  512 bytes of 1.0 KiB, 1 of 2 files");
  bar.stop();
});

test("short work shows nothing", async () => {
  expect(await shownAfter(400, true)).toBe("");
});

test("nothing is shown in a pipe", async () => {
  expect(await shownAfter(600, false)).toBe("");
});

test.each([
  ["CI", "true"],
  ["TERM", "dumb"],
])("nothing is shown with %s=%s", async (name, value) => {
  vi.stubEnv(name, value);
  expect(await shownAfter(600, true)).toBe("");
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
