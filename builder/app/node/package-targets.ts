/**
 * The tables `exports` and `imports` of a package.json, read as Node reads them
 * (https://nodejs.org/api/esm.html#resolution-algorithm-specification). Both kinds of module share them.
 */

/** What a table says of a subpath. */
export type Target =
  | { to: string; pattern?: string }
  /** The table does not have it, or has no condition that holds. */
  | undefined
  /** The table forbids it. */
  | null;

type Conditions = ReadonlySet<string>;

/** `exports` as a table of subpaths; a target alone is the one of ".". */
export function exportsTable(exports: unknown): Record<string, unknown> {
  const isTable =
    typeof exports === "object" &&
    exports !== null &&
    !Array.isArray(exports) &&
    Object.keys(exports).every((key) => key.startsWith("."));
  return isTable ? (exports as Record<string, unknown>) : { ".": exports };
}

/**
 * Looks a subpath up.
 *
 * @param subpath "." or "./a/b" of exports, "#a/b" of imports
 * @returns the target with what "*" stood for put in: "./lib/a.js", or the name of another package
 */
export function lookUp(
  table: Record<string, unknown>,
  subpath: string,
  conditions: Conditions,
): Target {
  const isPrivate = subpath.startsWith("#");
  if (Object.hasOwn(table, subpath) && !subpath.includes("*") && !subpath.endsWith("/")) {
    return choose(table[subpath], conditions, isPrivate);
  }
  const key = bestPattern(Object.keys(table), subpath);
  if (key === undefined) return undefined;
  const star = key.indexOf("*");
  const stood = subpath.slice(star, subpath.length - (key.length - star - 1));
  const target = choose(table[key], conditions, isPrivate);
  return target ? { to: target.to.replaceAll("*", () => stood), pattern: stood } : target;
}

/** The longest text before "*" wins, then the longest key. */
function bestPattern(keys: readonly string[], subpath: string): string | undefined {
  let best: string | undefined;
  for (const key of keys) {
    const star = key.indexOf("*");
    if (star < 0 || star !== key.lastIndexOf("*")) continue;
    const [before, after] = [key.slice(0, star), key.slice(star + 1)];
    const fits =
      subpath.startsWith(before) &&
      subpath !== before &&
      subpath.length >= key.length &&
      subpath.endsWith(after);
    if (fits && (best === undefined || isBetter(key, best))) best = key;
  }
  return best;
}

function isBetter(key: string, best: string): boolean {
  const [a, b] = [key.indexOf("*"), best.indexOf("*")];
  return a === b ? key.length > best.length : a > b;
}

function choose(target: unknown, conditions: Conditions, isPrivate: boolean): Target {
  if (typeof target === "string") return { to: target };
  if (target === null) return null;
  if (Array.isArray(target)) {
    let last: Target = target.length === 0 ? null : undefined;
    for (const one of target) {
      const found = choose(one, conditions, isPrivate);
      // Of several the first that is a path counts, whether or not there is a file.
      if (found && isUsable(found.to, isPrivate)) return found;
      last = found === undefined ? last : null;
    }
    return last;
  }
  if (typeof target !== "object") return null;
  for (const [condition, value] of Object.entries(target as object)) {
    if (condition !== "default" && !conditions.has(condition)) continue;
    const found = choose(value, conditions, isPrivate);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A file of the package, or for `imports` another package; a URL, also one of Node itself, is neither. */
export function isUsable(to: string, isPrivate: boolean): boolean {
  return to.startsWith("./") || (isPrivate && !/^(?:\.\.\/|\/)/.test(to) && !URL.canParse(to));
}

/** Whether a target leaves its package or goes into node_modules, which Node refuses. */
export function leaves(to: string): boolean {
  const [, ...parts] = to.split(/[\\/]|%2f|%5c/i);
  return parts.some((part) => /^(?:\.|%2e){1,2}$|^node_modules$/i.test(part));
}
