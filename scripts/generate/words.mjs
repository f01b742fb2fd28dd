// Lists as sentences say them.

/** ["a", "b", "c"] → "a, b or c". */
export function orList(/** @type {string[]} */ list) {
  return list.join(", ").replace(/, ([^,]*)$/, " or $1");
}
