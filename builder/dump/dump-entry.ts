/** What a dump knows of one name, wherever it was found. */
import type { Xattr } from "../tree/node.ts";

export interface DumpEntry {
  /** From the root, "" is the root. Byte string. */
  path: string;
  kind: keyof typeof types;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Of a symbolic link, byte string. */
  target?: string;
  device?: { major: number; minor: number };
  xattrs: readonly Xattr[];
  /** Equal for the names of one inode. */
  inode: unknown;
  file?: {
    /** Bytes. */
    size: number;
    /** Stretches of its contents, in order; each is valid until the next one is asked for. */
    read(): AsyncIterable<Uint8Array>;
  };
}

/** How a dump calls each kind. */
export const types = {
  directory: "dir",
  file: "file",
  symlink: "link",
  "block-device": "block",
  "character-device": "char",
  fifo: "fifo",
  socket: "socket",
} as const;
