/** Files of the host put anywhere into a tree. Contents stay on disk. */
import { realpath, stat } from "node:fs/promises";
import * as errors from "../errors.ts";
import { type Contents, type FileNode, fileNode } from "../tree/node.ts";
import { byteString, displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";

/**
 * Adds the file `file` of the host at `path`, following symbolic links of the host. Its time and
 * owner are kept as a folder's are; what is read later is checked to be what was seen here.
 *
 * @param path below the root, byte string; folders that are missing are made
 * @param file text, or bytes where its name is not UTF-8
 * @param mode permission bits; default: the file's own
 * @throws E_FILE_UNREADABLE, E_FILE_KIND, E_PATH_INVALID
 */
export async function addFile(
  tree: Tree,
  path: string,
  file: string | Buffer,
  mode?: number,
): Promise<FileNode> {
  const { contents, stats } = await examine(file);
  const node = fileNode(contents, {
    mode: mode ?? Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: Number(stats.mtimeNs / 1_000_000_000n),
  });
  tree.add(path, node);
  return node;
}

/**
 * The contents of a file of the host, for a node that is there already.
 *
 * @throws E_FILE_UNREADABLE, E_FILE_KIND
 */
export async function diskContents(file: string): Promise<Contents> {
  return (await examine(file)).contents;
}

async function examine(file: string | Buffer) {
  const name = typeof file === "string" ? byteString(file) : file.toString("latin1");
  const shown = typeof file === "string" ? file : displayPath(name);
  const stats = await stat(file, { bigint: true }).catch((cause: unknown) => {
    throw errors.fileUnreadable(shown, cause);
  });
  // Contents are read without following links, for what stands in a folder.
  const real = await realpath(file, { encoding: "buffer" }).catch((cause: unknown) => {
    throw errors.fileUnreadable(shown, cause);
  });
  if (!stats.isFile())
    throw errors.fileKind(shown, stats.isDirectory() ? "folder" : "special file");
  const { dev, ino, mtimeNs, ctimeNs } = stats;
  const contents: Contents = {
    from: "disk",
    folder: real.toString("latin1"),
    name: "",
    size: Number(stats.size),
    identity: { dev, ino, mtimeNs, ctimeNs },
  };
  return { contents, stats };
}
