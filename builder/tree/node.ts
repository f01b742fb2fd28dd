// What a file tree is made of. One node is one inode: an inode with several names (hard links) is
// the same object under several entries.

/** An extended attribute: full name with its namespace (`user.origin`), a byte string. */
export interface Xattr {
  readonly name: string;
  readonly value: Uint8Array;
}

export interface Attributes {
  /** Permission bits with setuid, setgid and sticky: 0..0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. The writer keeps it only when asked. */
  mtime: number;
  xattrs: readonly Xattr[];
  /**
   * Where it stands in the list of whoever made one of all nodes. Only he believes it, who finds this node
   * there: a Map from nodes to their places would take fifty bytes for each of millions.
   */
  row?: number;
}

/** What a file on disk was when it was scanned. Reading it later checks that it still is. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** Bytes that stand in the place of a file's own. */
export interface Piece {
  /** Bytes from its start. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** How contents differ from the file on disk that they are read from. */
export interface Change {
  /** Of the file on disk, bytes. */
  readonly from: number;
  /** In ascending order, apart from each other. What neither they nor the file have is zero. */
  readonly pieces: readonly Piece[];
}

/** Where the bytes of a regular file come from. */
export type Contents =
  | {
      readonly from: "disk";
      /**
       * What stands before its name, byte string: one for all files of a folder, of which there may be
       * millions. `pathOnDisk` joins them.
       */
      readonly folder: string;
      /** Byte string; empty where `folder` is the whole path. */
      readonly name: string;
      /** Bytes. */
      readonly size: number;
      readonly identity: FileIdentity;
      /**
       * Hexadecimal, where it is known: of large files that are packed again and again. sha256 of the file
       * on disk; with `change`, of that and of the change. No two contents have the same.
       */
      readonly digest?: string;
      /** The file on disk stays as it is, and no changed copy of it is made. */
      readonly change?: Change;
    }
  /** A part of a file on disk: a member of an archive is not copied out of it. */
  | {
      readonly from: "region";
      /** Byte string. */
      readonly path: string;
      /** Bytes from the start of the file. */
      readonly offset: number;
      /** Bytes of the contents. */
      readonly size: number;
      /** Bytes of the file. */
      readonly fileSize: number;
      readonly identity: FileIdentity;
    }
  | { readonly from: "memory"; readonly bytes: Uint8Array }
  /** They stay in an image that is taken over as it is, so nobody reads them. */
  | { readonly from: "image"; readonly size: number };

export interface DirectoryNode extends Attributes {
  readonly kind: "directory";
  /** By name; the order does not matter. */
  readonly entries: Map<string, Node>;
}

export interface FileNode extends Attributes {
  readonly kind: "file";
  contents: Contents;
}

export interface SymlinkNode extends Attributes {
  readonly kind: "symlink";
  readonly target: string;
}

export interface DeviceNode extends Attributes {
  readonly kind: "block-device" | "character-device";
  /** 0..4095 */
  readonly major: number;
  /** 0..1048575 */
  readonly minor: number;
}

interface SpecialNode extends Attributes {
  readonly kind: "fifo" | "socket";
}

export type Node = DirectoryNode | FileNode | SymlinkNode | DeviceNode | SpecialNode;

/** Path of the file that contents are read from, byte string. */
export function pathOnDisk(contents: Contents & { from: "disk" | "region" }): string {
  return contents.from === "disk" ? contents.folder + contents.name : contents.path;
}

/** Bytes of a regular file. */
export function contentSize(contents: Contents): number {
  return contents.from === "memory" ? contents.bytes.length : contents.size;
}

const anonymous: Omit<Attributes, "mode"> = { uid: 0, gid: 0, mtime: 0, xattrs: [] };

export function directoryNode(attributes: Partial<Attributes> = {}): DirectoryNode {
  return { kind: "directory", mode: 0o755, ...anonymous, ...attributes, entries: new Map() };
}

export function fileNode(
  contents: Contents | Uint8Array | string,
  attributes: Partial<Attributes> = {},
): FileNode {
  const bytes = typeof contents === "string" ? Buffer.from(contents) : contents;
  return {
    kind: "file",
    mode: 0o644,
    ...anonymous,
    ...attributes,
    contents: bytes instanceof Uint8Array ? { from: "memory", bytes } : bytes,
  };
}

/** `target` is a byte string of 1..4095 bytes; the tree checks it when the node is added. */
export function symlinkNode(target: string, attributes: Partial<Attributes> = {}): SymlinkNode {
  return { kind: "symlink", mode: 0o777, ...anonymous, ...attributes, target };
}
