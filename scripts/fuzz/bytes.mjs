// Binary files put together from parts.

/** @typedef {string | Uint8Array | number[]} Bytes */

/** Parts, one after the other; strings in UTF-8. */
export const bytes = (/** @type {Bytes[]} */ ...parts) =>
  Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Uint8Array.from(part))),
  );
/** A little-endian number of up to eight bytes. */
export const number = (/** @type {number} */ value, /** @type {number} */ width) => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return out.subarray(0, width);
};
/** Numbers as `[value, width]`, one after the other. */
export const struct = (/** @type {number[][]} */ ...fields) =>
  Buffer.concat(fields.map(([value, width]) => number(value, width)));
