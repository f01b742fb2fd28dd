// Structures of bytes: fields one behind the other, each with its size.

/** @import {Field} from "./types.mts" */

/**
 * @param {Field[]} fields
 * @returns {{fields: (Field & {offset: number})[], size: number}}
 */
export function layoutOf(fields) {
  let size = 0;
  const placed = fields.map((field) => {
    const offset = size;
    size += field.bytes;
    return { ...field, offset };
  });
  return { fields: placed, size };
}

/** Offsets by name, and the size of all. */
export function offsetsOf(/** @type {Field[]} */ fields) {
  const { fields: placed, size } = layoutOf(fields);
  return { ...Object.fromEntries(placed.map(({ name, offset }) => [name, offset])), size };
}
