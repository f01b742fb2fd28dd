/**
 * What a start with the image as root mounts something on. It is added to the image where it is missing,
 * so that a start need not make it in the writable layer, and can do without one.
 */
import { directoryAt } from "../input/tar/tree-places.ts";
import { directoryNode, fileNode, type Node } from "../tree/node.ts";
import { addEntry, type Tree } from "../tree/tree.ts";

const points: readonly { directory: string; name: string; node: () => Node }[] = [
  ...["dev", "proc", "run", "sys"].map((name) => ({
    directory: "",
    name,
    node: () => directoryNode(),
  })),
  { directory: "", name: "tmp", node: () => directoryNode({ mode: 0o1777 }) },
  ...["hostname", "hosts", "resolv.conf"].map((name) => ({
    directory: "etc",
    name,
    node: () => fileNode(""),
  })),
];

/** Adds what is missing; what stands there stays, a link too. @returns the paths that were added */
export function addMountPoints(tree: Tree): string[] {
  const nowhere = new Error("the image has something else there");
  return points.flatMap(({ directory, name, node }) => {
    try {
      const place = directoryAt(tree.root, directory.split("/"), true, () => nowhere);
      if (place.node.entries.has(name)) return [];
      const path = [...place.names, name].join("/");
      addEntry(place.node, name, node(), path);
      return [path];
    } catch (thrown) {
      if (thrown === nowhere) return []; // The start says so, where it matters.
      throw thrown;
    }
  });
}
