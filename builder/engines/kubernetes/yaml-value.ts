/** A value on one line of YAML: JSON, with what the two write differently escaped. */

/** @param value of JSON */
export function yamlValue(value: unknown): string {
  // Such characters stand in strings alone. JSON leaves them as they are; of YAML they end lines, or are not allowed.
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
