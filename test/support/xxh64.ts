/** XXH64 of some bytes, as kept blocks have it: slow, and apart from the addon's. */
const MASK = 0xffff_ffff_ffff_ffffn;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];
const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & MASK;
const times = (a: bigint, b: bigint) => (a * b) & MASK;
const plus = (...all: bigint[]) => all.reduce((a, b) => (a + b) & MASK, 0n);
const round = (acc: bigint, input: bigint) => times(rotate(plus(acc, times(input, P2)), 31n), P1);

export function xxh64(bytes: Buffer, seed = 0n): bigint {
  let at = 0;
  let hash = plus(seed, P5);
  if (bytes.length >= 32) {
    const lanes = [plus(seed, P1, P2), plus(seed, P2), seed, (seed - P1) & MASK];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let i = 0; i < 4; i++) {
        lanes[i] = round(lanes[i] as bigint, bytes.readBigUInt64LE(at + i * 8));
      }
    }
    hash = plus(...lanes.map((lane, i) => rotate(lane, [1n, 7n, 12n, 18n][i] as bigint)));
    for (const lane of lanes) hash = plus(times(hash ^ round(0n, lane), P1), P4);
  }
  hash = plus(hash, BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8) {
    hash = plus(times(rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n), P1), P4);
  }
  for (; at + 4 <= bytes.length; at += 4) {
    hash = plus(times(rotate(hash ^ times(BigInt(bytes.readUInt32LE(at)), P1), 23n), P2), P3);
  }
  for (; at < bytes.length; at++) {
    hash = times(rotate(hash ^ times(BigInt(bytes.readUInt8(at)), P5), 11n), P1);
  }
  hash = times(hash ^ (hash >> 33n), P2);
  hash = times(hash ^ (hash >> 29n), P3);
  return hash ^ (hash >> 32n);
}
