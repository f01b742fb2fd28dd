/**
 * What the runtime writes of a start when FUSELAGE_RECORD asks for it: one line for every read, with the
 * number of an inode and pages of its contents.
 */
import * as errors from "../errors.ts";
import { displayPath } from "../tree/path.ts";

/** One read. */
export interface RecordedRead {
  /** Since the image was mounted, milliseconds. */
  readonly at: number;
  /** Of the inode in the image. */
  readonly number: number;
  /** First page of PAGE_BYTES. */
  readonly first: number;
  /** Pages, at least 1. */
  readonly count: number;
}

const HEAD = "fuselage recording 1";
const END = "end";

/** Whether a recording is there as a whole: its last line is written last. */
export function isComplete(text: string): boolean {
  return text.endsWith(`\n${END}\n`);
}

/**
 * @param app the bundle, for messages
 * @throws E_PROFILE_RECORDING
 */
export function parseRecording(text: string, app: string): RecordedRead[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const damaged = (expected: string, actual: string | undefined) =>
    errors.profileRecording(app, "what its runtime recorded cannot be read", {
      expected,
      actual: actual === undefined ? "nothing" : `"${displayPath(actual.slice(0, 80))}"`,
    });
  if (lines[0] !== HEAD) throw damaged(`"${HEAD}"`, lines[0]);
  if (lines.pop() !== END) throw damaged(`"${END}" in the last line`, lines.at(-1));
  return lines.slice(1).map((line) => {
    const fields = /^([0-9]{1,12}) ([0-9]{1,10}) ([0-9]{1,16}) ([0-9]{1,10})$/.exec(line);
    if (fields === null) throw damaged("MILLISECONDS INODE PAGE COUNT", line);
    const [at = 0, number = 0, first = 0, count = 0] = fields.slice(1).map(Number);
    if (!Number.isSafeInteger(first + count)) throw damaged("a page of a file", line);
    if (number === 0 || count === 0) throw damaged("an inode and a count of pages from 1", line);
    return { at, number, first, count };
  });
}

export interface Cut {
  /** Reads after so many milliseconds are none of the start; undefined: all are. */
  until?: number | undefined;
  /** A start has ended when nothing was read for so many milliseconds. */
  idle: number;
}

/** The reads that belong to the start. */
export function startOf(reads: readonly RecordedRead[], { until, idle }: Cut): RecordedRead[] {
  const end = reads.findIndex(({ at }, i) => {
    if (until !== undefined) return at > until;
    return i > 0 && at - (reads[i - 1] as RecordedRead).at > idle;
  });
  return reads.slice(0, end < 0 ? reads.length : end);
}
