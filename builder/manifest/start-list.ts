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

/** Bytes of a number at the most: 64 bits, 7 in each. */
const NUMBER_BYTES = 10;

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

/** What a run may say at the most, as the runtime has it. */
const MOST = { number: 0xffffffff, pages: 2 ** 51 };

/**
 * The runs of a list that comes from anyone, up to the first that is wrong: as the runtime takes them.
 *
 * @returns undefined for a list of another version, or one that is too long
 */
export function decodeStartList(bytes: Uint8Array): StartRun[] | undefined {
  if (bytes[0] !== VERSION || bytes.length > START_LIMITS.bytes) return undefined;
  const values = decodeNumbers(bytes.subarray(1));
  const runs: StartRun[] = [];
  let last = { number: 0, end: 0 };
  while (runs.length < START_LIMITS.runs) {
    const [inode, page, count] = [values.next(), values.next(), values.next()].map(
      ({ value }) => value ?? Number.NaN,
    ) as [number, number, number];
    const number = last.number + unzigzag(inode);
    const first = unzigzag(page) + (number === last.number ? last.end : 0);
    const end = first + count;
    if (!(number >= 1 && number <= MOST.number && first >= 0 && count >= 1 && end <= MOST.pages)) {
      break;
    }
    runs.push({ number, first, count });
    last = { number, end };
  }
  return runs;
}

/** Up to the first that is too large for any run, or not whole. */
function* decodeNumbers(bytes: Uint8Array): Generator<number, undefined> {
  let value = 0;
  let places = 0;
  for (const byte of bytes) {
    value += (byte % 128) * 128 ** places;
    places++;
    if (!Number.isSafeInteger(value) || (byte >= 128 && places === NUMBER_BYTES)) return;
    if (byte >= 128) continue;
    yield value;
    value = 0;
    places = 0;
  }
}

/** Files that a list names, and the bytes of their pages. */
export function startSize(runs: readonly StartRun[]): { files: number; bytes: number } {
  const pages = runs.reduce((sum, { count }) => sum + count, 0);
  return { files: new Set(runs.map(({ number }) => number)).size, bytes: pages * PAGE_BYTES };
}
