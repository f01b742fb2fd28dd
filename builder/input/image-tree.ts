/** The tree of an image that is packed again. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import * as errors from "../errors.ts";
import { Breath } from "../host/breath.ts";
import type { ImageEntry, ImageReader } from "../squashfs/image-reader.ts";
import type { Node } from "../tree/node.ts";
import { displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import { isPackedXattr, treeFromDirectory } from "./add-directory.ts";
import { leaveOut } from "./ignore-file.ts";

export interface ImageTreeOptions {
  exclude?: readonly string[] | undefined;
  excludeFrom?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Extraction gives nobody a right that he did not ask for; what it leaves out on the disk goes from the
 * old image into the new one all the same.
 *
 * @param workspace private folder, where contents stay until the tree is written
 */
export async function imageTree(
  image: ImageReader,
  entries: readonly ImageEntry[],
  workspace: string,
  options: ImageTreeOptions,
): Promise<Tree> {
  const { signal } = options;
  // Below the private folder: the image says what mode its root has.
  const root = path.join(workspace, "image");
  mkdirSync(root, { mode: 0o700 });
  await image.extract(root, { xattrs: false, signal });
  // A fifo is extracted, for it gives nobody a right.
  const tree = await treeFromDirectory(root, {
    anything: true,
    ...(signal && { signal }),
  });
  const breath = new Breath(signal);
  const left = new Map<number, Node>();
  for (const entry of entries) {
    const { path, mode, uid, gid, inode, xattrs } = entry;
    const node = path === "" ? tree.root : (tree.get(path) ?? left.get(inode) ?? leftOut(entry));
    Object.assign(node, { mode, uid, gid, xattrs: xattrs.filter(isPackedXattr) });
    if (path !== "" && tree.get(path) === undefined) {
      left.set(inode, node);
      tree.add(path, node);
    }
    if (breath.isDue) await breath.take();
  }
  await leaveOut(tree, options);
  return tree;
}

/** What extraction does not make for everybody. */
function leftOut({ path, kind, mtime, device }: ImageEntry): Node {
  const attributes = { mode: 0, uid: 0, gid: 0, mtime, xattrs: [] };
  if (kind === "character-device" || kind === "block-device") {
    return { kind, ...attributes, ...(device ?? { major: 0, minor: 0 }) };
  }
  if (kind === "fifo" || kind === "socket") return { kind, ...attributes };
  throw errors.internal(new Error(`${displayPath(path)} was not extracted`));
}
