/** A value that a program without types handed over, in a message. */

/** JSON, of what JSON has; any other value in words. Never throws. */
export function shownValue(value: unknown): string {
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  if (typeof value === "number") return `${value}`;
  const words = (_: string, one: unknown) => (typeof one === "bigint" ? `${one}n` : one);
  try {
    return JSON.stringify(value, words) ?? "nothing";
  } catch {
    // It is in itself, or cannot be read.
    return Array.isArray(value) ? "a list that is no JSON" : "an object that is no JSON";
  }
}
