/** Paths of a tree as the kernel follows them. */
import type { DirectoryNode, Node } from "./node.ts";
import { displayPath, joinPath } from "./path.ts";
import type { Tree } from "./tree.ts";

/** As many symbolic links as the kernel follows in one path. */
const MAX_LINKS = 40;

/** What is there, under the path without links; or how the path fails. */
export type Resolution =
  | { found: Node; path: string }
  | { missing: true }
  /** `target`: the absolute path that a symbolic link goes on with, byte string. */
  | { outside: string; target?: string }
  | { loop: true };

/** Follows a path as the kernel does, but never out of the tree. Byte strings. */
export function resolvePath(tree: Tree, path: string): Resolution {
  const parents: { node: DirectoryNode; name: string }[] = [];
  let current: DirectoryNode = tree.root;
  let pending = path.split("/").reverse();
  let links = 0;
  const here = () => parents.map(({ name }) => name).join("/");
  while (pending.length > 0) {
    const name = pending.pop();
    if (name === undefined || name === "" || name === ".") continue;
    if (name === "..") {
      const parent = parents.pop();
      if (parent === undefined) {
        return { outside: links > 0 ? 'through ".." in a symbolic link' : 'through ".."' };
      }
      current = parent.node;
      continue;
    }
    const node = current.entries.get(name);
    if (node === undefined) return { missing: true };
    if (node.kind === "symlink") {
      if (++links > MAX_LINKS) return { loop: true };
      if (node.target.startsWith("/")) {
        const rest = pending.filter((part) => part !== "").reverse();
        return {
          outside: `through a symbolic link to ${displayPath(node.target)}`,
          target: [node.target, ...rest].join("/"),
        };
      }
      pending = [...pending, ...node.target.split("/").reverse()];
    } else if (node.kind === "directory") {
      parents.push({ node: current, name });
      current = node;
    } else {
      const more = pending.some((part) => part !== "");
      return more ? { missing: true } : { found: node, path: joinPath(here(), name) };
    }
  }
  return { found: current, path: here() };
}
