/** What FUSELAGE_RECORD leaves: docs/format.md, "Recording". */
import { readFileSync } from "node:fs";
import { until } from "./until.ts";

export interface Read {
  milliseconds: number;
  /** Of the inode. */
  number: number;
  first: number;
  pages: number;
}

/** Waits for the last line, which comes a moment after the app's end. */
export async function recordingOf(file: string): Promise<Read[]> {
  const lines = await until(`the end of ${file}`, () => {
    const all = readFileSync(file, "latin1").split("\n");
    return all.at(-2) === "end" && all.at(-1) === "" && all;
  });
  if (lines[0] !== "fuselage recording 1") throw new Error(`first line: ${lines[0]}`);
  return lines.slice(1, -2).map((line) => {
    const match = /^(\d+) (\d+) (\d+) (\d+)$/.exec(line);
    if (!match) throw new Error(`no READ: ${line}`);
    const [milliseconds = 0, number = 0, first = 0, pages = 0] = match.slice(1).map(Number);
    return { milliseconds, number, first, pages };
  });
}

/** The pages of one file that were read, in order. */
export const pagesOf = (reads: readonly Read[], number: number): number[] =>
  reads
    .filter((read) => read.number === number)
    .flatMap(({ first, pages }) => Array.from({ length: pages }, (_, i) => first + i));
