/** A path in a tree of entries, followed as the kernel does whose root the tree is. */

/** As many symbolic links as the kernel follows in one path. */
const MAX_LINKS = 40;

interface Named {
  readonly path: string;
  /** Of a symbolic link. */
  readonly target?: string;
}

/**
 * The entry that a path leads to; undefined: there is none. Absolute links and `..` stay inside.
 *
 * @param path byte string
 */
export function followPath<T extends Named>(
  byPath: ReadonlyMap<string, T>,
  path: string,
): T | undefined {
  let pending = path.split("/").reverse();
  let here: string[] = [];
  let links = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      here.pop();
      continue;
    }
    const entry = byPath.get([...here, name].join("/"));
    if (entry === undefined) return undefined;
    if (entry.target === undefined) {
      here.push(name);
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    if (entry.target.startsWith("/")) here = [];
    pending = [...pending, ...entry.target.split("/").reverse()];
  }
  return byPath.get(here.join("/"));
}
