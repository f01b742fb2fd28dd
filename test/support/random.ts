/** Values that look random and are the same in every run, for tests that try many. */
import { noise } from "./image.ts";

export interface Random {
  bytes(size: number): Buffer;
  /** A whole number from 0 up to, and without, `end`. */
  below(end: number): number;
}

/** `for (const [index, random] of trials(100))`: each trial has values of its own, whatever is tried before it. */
export function* trials(count: number, first = 0): Generator<[number, Random]> {
  for (let index = first; index < first + count; index++) {
    let taken = 0;
    const bytes = (size: number) => noise(size, `trial ${index} ${taken++}`);
    yield [index, { bytes, below: (end) => bytes(4).readUInt32LE() % end }];
  }
}
