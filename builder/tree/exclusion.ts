/** What of a folder is left out, by globs. */
import picomatch from "picomatch";

const MAGIC = /[\\*?[\]{}()!+@|]/;

/** A glob that means this one path. */
export function escapeGlob(name: string): string {
  return name.replace(/[\\*?[\]{}()!+@|]/g, "\\$&");
}

/** A path or glob as it is written, "./dist/" or "/dist", without what is around it. */
export const belowRoot = (text: string) => text.replace(/^\.?\/+|\/+$/g, "");

/**
 * Whether one of the globs matches a path. Those that mean one path each are looked up, so that there
 * may be many of them.
 *
 * @param globs relative to the folder; `*` matches dotfiles too
 * @returns a function of a path relative to the folder, text
 */
export function exclusion(globs: readonly string[]): (path: string) => boolean {
  const patterns: string[] = [];
  const names = new Set<string>();
  for (const glob of globs.map(belowRoot)) {
    const name = glob.replace(/\\(.)/gs, "$1");
    if (MAGIC.test(glob) && escapeGlob(name) !== glob) patterns.push(glob);
    else names.add(name);
  }
  const matches = patterns.length === 0 ? undefined : picomatch(patterns, { dot: true });
  return (path) => names.has(path) || matches?.(path) === true;
}
