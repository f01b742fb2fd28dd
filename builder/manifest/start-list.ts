/**
 * The start list of a bundle (record START of the manifest): runs of pages by the number of their inode, in
 * the order of use. docs/format.md has the bytes.
 */

/** A run of pages of one file. */
export interface StartRun {
  /** Of the inode in the image, 1..2^32-1. */
  readonly number: number;
  /** First page of PAGE_BYTES. */
  readonly first: number;
  /** Pages, at least 1. */
  readonly count: number;
}

const VERSION = 1;

/** Unit of the list, bytes: a page of the machines with the smallest ones. */
export const PAGE_BYTES = 4096;

/** What the runtime takes at the most. */
export const START_LIMITS = { bytes: 65536, runs: 16384 } as const;

const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value);
const unzigzag = (value: number) => (value % 2 === 1 ? -(value + 1) / 2 : value / 2);

/** Appends an unsigned LEB128; numbers up to 2^53, so no shifts. */
function append(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
}

/** Three numbers for each run: the inode and the first page as differences to the run before. */
export function encodeStartList(runs: readonly StartRun[]): Uint8Array {
  const bytes = [VERSION];
  let last = { number: 0, end: 0 };
  for (const { number, first, count } of runs) {
    append(bytes, zigzag(number - last.number));
    append(bytes, zigzag(first - (number === last.number ? last.end : 0)));
    append(bytes, count);
    last = { number, end: first + count };
  }
  return Uint8Array.from(bytes);
}

/** @returns the runs, or what is wrong with the bytes, which come from anyone */
export function decodeStartList(bytes: Uint8Array): StartRun[] | string {
  if (bytes[0] !== VERSION) return `its version is ${bytes[0] ?? "missing"}, not ${VERSION}`;
  if (bytes.length > START_LIMITS.bytes) return `it has ${bytes.length} bytes`;
  const values = decodeNumbers(bytes.subarray(1));
  if (typeof values === "string") return values;
  if (values.length % 3 !== 0) return "its last run is cut short";
  if (values.length / 3 > START_LIMITS.runs) return `it has ${values.length / 3} runs`;
  const runs: StartRun[] = [];
  let last = { number: 0, end: 0 };
  for (let i = 0; i < values.length; i += 3) {
    const [inode = 0, page = 0, count = 0] = values.slice(i, i + 3);
    const number = last.number + unzigzag(inode);
    const first = unzigzag(page) + (number === last.number ? last.end : 0);
    if (number < 1 || number > 0xffffffff) return `run ${i / 3} is of inode ${number}`;
    if (first < 0 || count < 1 || !Number.isSafeInteger(first + count)) {
      return `run ${i / 3} has ${count} pages from ${first}`;
    }
    runs.push({ number, first, count });
    last = { number, end: first + count };
  }
  return runs;
}

function decodeNumbers(bytes: Uint8Array): number[] | string {
  const values: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte % 128) * scale;
    if (!Number.isSafeInteger(value)) return "a number is too large";
    if (byte >= 128) {
      scale *= 128;
      continue;
    }
    values.push(value);
    value = 0;
    scale = 1;
  }
  return scale === 1 ? values : "a number is cut short";
}

/** Files that a list names, and the bytes of their pages. */
export function startSize(runs: readonly StartRun[]): { files: number; bytes: number } {
  const pages = runs.reduce((sum, { count }) => sum + count, 0);
  return { files: new Set(runs.map(({ number }) => number)).size, bytes: pages * PAGE_BYTES };
}
