/**
 * What a start surely reads, in the order of use, where no profile says more: the entrypoint, what runs it, the
 * libraries that they name, and what a kind of app knows of its own.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import { readingFailed } from "../errors.ts";
import { ElfFiles, LIBRARY_NAME } from "../libraries/elf-objects.ts";
import { imagePlaces, pathInImage } from "../manifest/folder-map.ts";
import { type FileNode, pathOnDisk } from "../tree/node.ts";
import { byteString, bytesOf, displayPath } from "../tree/path.ts";
import { resolvePath } from "../tree/resolve.ts";
import type { Tree } from "../tree/tree.ts";
import type { App } from "./kind.ts";
import { LINE_MAX, parseShebang } from "./plain/shebang.ts";

/** Files of the tree once each. */
export async function firstFiles(
  { tree, entry, first = [] }: Pick<App, "tree" | "entry" | "first">,
  { arch, mountAt, maps }: Pick<ResolvedBuildOptions, "arch" | "mountAt" | "maps">,
): Promise<FileNode[]> {
  const found = new Set<FileNode>();
  const program = entry === undefined ? undefined : fileAt(tree, entry);
  if (program !== undefined) {
    found.add(program);
    const interpreter = parseShebang(await headOf(program))?.interpreter ?? "";
    const inside = pathInImage(interpreter, imagePlaces(mountAt, maps));
    const runner = inside === undefined ? undefined : fileAt(tree, byteString(inside));
    if (runner !== undefined) found.add(runner);
    await addLibraries(found, tree, new ElfFiles(arch));
  }
  for (const path of first) {
    const node = fileAt(tree, path);
    if (node !== undefined) found.add(node);
  }
  return [...found];
}

function fileAt(tree: Tree, path: string): FileNode | undefined {
  const resolved = resolvePath(tree, path);
  const node = "found" in resolved ? resolved.found : undefined;
  return node?.kind === "file" ? node : undefined;
}

/** Adds the libraries of programs, and theirs, by their names, wherever in the tree they lie. */
async function addLibraries(found: Set<FileNode>, tree: Tree, files: ElfFiles): Promise<void> {
  let libraries: ReadonlyMap<string, FileNode> | undefined;
  // A set that grows is walked to its end.
  for (const { contents } of found) {
    if (contents.from !== "disk") continue;
    const facts = await files.facts(bytesOf(pathOnDisk(contents)).toString("utf8"));
    if (facts === undefined || facts.needed.length === 0) continue;
    libraries ??= librariesOf(tree);
    for (const name of facts.needed) {
      const library = libraries.get(byteString(name));
      if (library !== undefined) found.add(library);
    }
  }
}

/** The first of each name. */
function librariesOf(tree: Tree): ReadonlyMap<string, FileNode> {
  const byName = new Map<string, FileNode>();
  for (const { path } of tree.walk()) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (!LIBRARY_NAME.test(name) || byName.has(name)) continue;
    const node = fileAt(tree, path);
    if (node !== undefined) byName.set(name, node);
  }
  return byName;
}

/** First bytes of a file, as many as the kernel looks at; none where it cannot be read. */
async function headOf({ contents }: FileNode): Promise<Buffer> {
  if (contents.from === "memory") return Buffer.from(contents.bytes.subarray(0, LINE_MAX + 1));
  if (contents.from !== "disk") return Buffer.alloc(0);
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const file = pathOnDisk(contents);
  const handle = await open(bytesOf(file), flags).catch(() => undefined);
  if (handle === undefined) return Buffer.alloc(0);
  try {
    const { buffer, bytesRead } = await handle
      .read(Buffer.alloc(LINE_MAX + 1), 0, LINE_MAX + 1, 0)
      .catch(readingFailed(displayPath(file)));
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
