/** Where the paths of an archive lead in a tree: through the links of the tree, never out of it. */
import { type DirectoryNode, directoryNode } from "../../tree/node.ts";
import { displayPath } from "../../tree/path.ts";
import { addEntry } from "../../tree/tree.ts";

/** As many symbolic links as the kernel follows in one path. */
const MAX_LINKS = 40;

/** A directory of a tree and the names that lead there without links. */
export interface Place {
  node: DirectoryNode;
  names: readonly string[];
}

/** What the failure of a path is made of: a predicate of its entry. */
export type Refuse = (what: string) => Error;

/**
 * The names of an entry from the root of the tree. A leading slash is the root's.
 *
 * @throws what `refuse` makes of a way up
 */
export function namesOf(path: string, refuse: Refuse): string[] {
  const names = path.split("/").filter((part) => part !== "" && part !== ".");
  if (names.includes("..")) throw refuse("leads out of the archive");
  return names;
}

/**
 * The directory that names lead to.
 *
 * @param makes whether what is missing is made, mode 0755
 * @returns undefined where it is missing and not made
 * @throws what `refuse` makes of a loop of links and of what is no directory, E_PATH_INVALID, E_TREE_DEPTH
 */
export function directoryAt(
  root: DirectoryNode,
  names: readonly string[],
  makes: true,
  refuse: Refuse,
): Place;
export function directoryAt(
  root: DirectoryNode,
  names: readonly string[],
  makes: boolean,
  refuse: Refuse,
): Place | undefined;
export function directoryAt(
  root: DirectoryNode,
  names: readonly string[],
  makes: boolean,
  refuse: Refuse,
): Place | undefined {
  const parents: { node: DirectoryNode; name: string }[] = [];
  let current = root;
  let pending = [...names].reverse();
  let links = 0;
  const here = () => parents.map(({ name }) => name);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      // The root is above itself, as for whoever has it as his root.
      current = parents.pop()?.node ?? root;
      continue;
    }
    let next = current.entries.get(name);
    if (next === undefined) {
      if (!makes) return undefined;
      next = directoryNode();
      addEntry(current, name, next, [...here(), name].join("/"));
    }
    if (next.kind === "symlink") {
      if (++links > MAX_LINKS) throw refuse("leads through too many links");
      if (next.target.startsWith("/")) [parents.length, current] = [0, root];
      pending = [...pending, ...next.target.split("/").reverse()];
    } else if (next.kind === "directory") {
      parents.push({ node: current, name });
      current = next;
    } else {
      throw refuse(`is below ${displayPath(name)}, which is no folder`);
    }
  }
  return { node: current, names: here() };
}
