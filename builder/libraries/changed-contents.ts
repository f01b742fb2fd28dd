/** How a changed file differs from what it was, and how that is kept. */
import type { Piece } from "../tree/node.ts";

/** Files are compared in pages: what changes is headers, tables, and what is appended. Bytes. */
const PAGE = 4096;
/** Compared at once, because most of a file is what it was. Bytes. */
const STRETCH = 256 * PAGE;

export interface KeptChange {
  /** Of the changed file, bytes. */
  size: number;
  /** Of the file before it was given a start, bytes. */
  led: number;
  pieces: readonly Piece[];
}

/** The pages of `after` that differ from `before`, which counts as zero behind its end. */
export function piecesOf(before: Buffer, after: Buffer): Piece[] {
  const pieces: { offset: number; end: number }[] = [];
  for (let at = 0; at < after.length; at += STRETCH) {
    const end = Math.min(at + STRETCH, after.length);
    if (isSame(before, after, at, end)) continue;
    for (let page = at; page < end; page += PAGE) {
      const pageEnd = Math.min(page + PAGE, end);
      if (isSame(before, after, page, pageEnd)) continue;
      const last = pieces.at(-1);
      if (last?.end === page) last.end = pageEnd;
      else pieces.push({ offset: page, end: pageEnd });
    }
  }
  return pieces.map(({ offset, end }) => ({ offset, bytes: after.subarray(offset, end) }));
}

const ZEROS = Buffer.alloc(STRETCH);

function isSame(before: Buffer, after: Buffer, start: number, end: number): boolean {
  const middle = Math.min(Math.max(before.length, start), end);
  return (
    before.subarray(start, middle).equals(after.subarray(start, middle)) &&
    ZEROS.subarray(0, end - middle).equals(after.subarray(middle, end))
  );
}

/** A line of JSON, and the pieces behind it. */
export function encodeChange({ size, led, pieces }: KeptChange): Buffer {
  const places = pieces.map(({ offset, bytes }) => [offset, bytes.length]);
  const head = Buffer.from(`${JSON.stringify({ size, led, places })}\n`);
  return Buffer.concat([head, ...pieces.map(({ bytes }) => bytes)]);
}

/** @param kept as `encodeChange` made it */
export function decodeChange(kept: Buffer): KeptChange {
  const head = kept.indexOf("\n");
  const { size, led, places } = JSON.parse(kept.toString("utf8", 0, head)) as {
    size: number;
    led: number;
    places: [offset: number, length: number][];
  };
  let at = head + 1;
  const pieces = places.map(([offset, length]) => {
    const bytes = kept.subarray(at, at + length);
    at += length;
    return { offset, bytes };
  });
  return { size, led, pieces };
}
