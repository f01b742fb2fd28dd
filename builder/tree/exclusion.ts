/** What of a folder is left out, by globs. */
import { AsyncLocalStorage } from "node:async_hooks";
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
  const watch = watching.getStore();
  const patterns: string[] = [];
  const names = new Set<string>();
  for (const glob of globs.map(belowRoot)) {
    const name = glob.replace(/\\(.)/gs, "$1");
    if (MAGIC.test(glob) && escapeGlob(name) !== glob) patterns.push(glob);
    else names.add(name);
  }
  const matches = patterns.length === 0 ? undefined : picomatch(patterns, { dot: true });
  return (path) => {
    const isOut = names.has(path) || matches?.(path) === true;
    if (isOut) watch?.note(path);
    return isOut;
  };
}

const watching = new AsyncLocalStorage<GlobWatch>();

/**
 * Learns which globs of a caller's match something, wherever they are looked at: a kind of app may look at some of
 * them in one place and at others in another.
 */
export class GlobWatch {
  /** By what is looked up, as they were written. */
  readonly #unused: Map<string, { glob: string; matches: (path: string) => boolean }>;

  constructor(globs: readonly string[]) {
    this.#unused = new Map(globs.map((glob) => [glob, { glob, matches: exclusion([glob]) }]));
  }

  /** Watches all that `use` does. */
  run<T>(use: () => Promise<T>): Promise<T> {
    return this.#unused.size === 0 ? use() : watching.run(this, use);
  }

  /** That this path is one. */
  note(path: string): void {
    for (const { glob, matches } of this.#unused.values()) {
      if (matches(path)) this.#unused.delete(glob);
    }
  }

  /** Those that have matched nothing so far. */
  get unused(): string[] {
    return [...this.#unused.keys()];
  }
}
