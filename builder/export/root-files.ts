/** The files of a bundle as the root file system of a container image. */
import type { DumpEntry } from "../dump/dump-entry.ts";
import * as errors from "../errors.ts";
import { type FolderMap, parsedMaps } from "../manifest/folder-map.ts";
import { fromBytes, type Manifest } from "../manifest/manifest.ts";
import { byteString, displayPath, nameProblem } from "../tree/path.ts";

/** Where a container image has the files of a bundle. Byte strings, without a slash before them. */
export interface Placement {
  /** Folder with the files of the bundle's image; "": they are the root. */
  prefix: string;
  /** Folders of it that are at paths of their own too. */
  maps: readonly FolderMap[];
}

/**
 * A bundle that is at a fixed path goes there, an image that is a root stays one, and everything else has a
 * folder below /opt, as the Filesystem Hierarchy Standard has it for what belongs to no package.
 *
 * @param name of the bundle, which anyone may have written
 * @param wanted absolute path that the user wishes, without `.` and `..`
 * @throws E_EXPORT_INPUT where no folder can have that name
 */
export function placementOf(
  manifest: Manifest | undefined,
  name: string,
  wanted: string | undefined,
): Placement {
  const isRoot = manifest === undefined || manifest.root === "image";
  const usual = () => (isRoot ? "" : (manifest.mountAt ?? `/opt/${folderName(name)}`));
  const path = wanted === undefined ? usual() : byteString(wanted);
  const prefix = path
    .split("/")
    .filter((part) => part !== "")
    .join("/");
  return { prefix, maps: parsedMaps(manifest?.maps?.map(fromBytes) ?? []).map(inBytes) };
}

/** A name with `..` in it would put the files, and what is made for them on this machine, elsewhere. */
function folderName(name: string): string {
  const problem = nameProblem(name);
  if (problem === undefined) return name;
  throw errors.exportInput(displayPath(name), `is the bundle's name, and no folder's: ${problem}`);
}

const inBytes = (map: FolderMap): FolderMap => ({
  ...map,
  source: byteString(map.source),
  path: byteString(map.path),
});

const join = (...parts: string[]) => parts.filter((part) => part !== "").join("/");

/**
 * The entries of the layer, each folder before what is in it.
 *
 * @param entries of the bundle's image
 * @param hasBase whether there are layers below. Without one, what every root file system has is added.
 * @param mtime of what is added, seconds since 1970
 */
export function rootEntries(
  entries: readonly DumpEntry[],
  { prefix, maps }: Placement,
  { hasBase, mtime }: { hasBase: boolean; mtime: number },
): DumpEntry[] {
  const made = new Map<string, DumpEntry>();
  const put = (entry: DumpEntry) => {
    if (!made.has(entry.path)) made.set(entry.path, entry);
  };
  for (const entry of entries) put({ ...entry, path: join(prefix, entry.path) });
  for (const map of maps) {
    for (const entry of mapped(entries, map)) put(entry);
    // Hides what layers below have there.
    if (hasBase && map.hides) put(plainFile(`${map.path.slice(1)}/.wh..wh..opq`, "", 0o644, mtime));
  }
  if (!hasBase) {
    for (const path of [...made.keys()]) for (const parent of parentsOf(path, mtime)) put(parent);
    for (const entry of skeleton(mtime)) put(entry);
  }
  // The root of the layers below is whose it is.
  if (hasBase && prefix !== "") made.delete("");
  return [...made.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * What a start mounts at the path of a map: the folder once more, its files as hard links, so that both
 * names have one file, as they have at a start.
 */
function mapped(entries: readonly DumpEntry[], map: FolderMap): DumpEntry[] {
  const source = map.source === "." ? "" : map.source;
  const inside = entries.filter(
    (entry) => source === "" || entry.path === source || entry.path.startsWith(`${source}/`),
  );
  return inside.map((entry) => ({
    ...entry,
    path: join(map.path.slice(1), entry.path.slice(source === "" ? 0 : source.length + 1)),
    // Not every reader of archives makes hard links to symbolic ones.
    ...(entry.kind === "symlink" && { inode: Symbol(entry.path) }),
  }));
}

function* parentsOf(path: string, mtime: number): Generator<DumpEntry> {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    yield folder(path.slice(0, at), 0o755, mtime);
  }
}

export function folder(path: string, mode: number, mtime: number): DumpEntry {
  return { path, kind: "directory", mode, uid: 0, gid: 0, mtime, xattrs: [], inode: Symbol(path) };
}

export function plainFile(path: string, text: string, mode: number, mtime: number): DumpEntry {
  const bytes = Buffer.from(text);
  const read = async function* () {
    if (bytes.length > 0) yield bytes;
  };
  const file = { size: bytes.length, read };
  return { path, kind: "file", mode, uid: 0, gid: 0, mtime, xattrs: [], inode: Symbol(path), file };
}

export function symbolicLink(path: string, target: string, mtime: number): DumpEntry {
  const attributes = { mode: 0o777, uid: 0, gid: 0, mtime, xattrs: [] };
  return { path, kind: "symlink", target, ...attributes, inode: Symbol(path) };
}

/** The mount points of a container runtime, a writable /tmp, and names for the two users that all expect. */
function skeleton(mtime: number): DumpEntry[] {
  const nologin = "/sbin/nologin";
  return [
    folder("", 0o755, mtime),
    ...["dev", "etc", "proc", "run", "sys"].map((path) => folder(path, 0o755, mtime)),
    folder("root", 0o700, mtime),
    folder("tmp", 0o1777, mtime),
    plainFile(
      "etc/passwd",
      `root:x:0:0:root:/root:${nologin}\nnobody:x:65534:65534:nobody:/:${nologin}\n`,
      0o644,
      mtime,
    ),
    plainFile("etc/group", "root:x:0:\nnogroup:x:65534:\n", 0o644, mtime),
  ];
}
