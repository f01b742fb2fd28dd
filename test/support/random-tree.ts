/** Trees that look random, of what squashfs has a rule for; and what every reader must show of each. */
import { createHash } from "node:crypto";
import {
  type Attributes,
  type DirectoryNode,
  directoryNode,
  fileNode,
  type Node,
  symlinkNode,
  type Xattr,
} from "../../builder/tree/node.ts";
import { joinPath } from "../../builder/tree/path.ts";
import { Tree } from "../../builder/tree/tree.ts";
import { noise, prose, type Snapshot } from "./image.ts";
import type { Random } from "./random.ts";

/** Levels below the root at most: the builder's limit. */
const DEEPEST = 250;

/** How much a tree has of everything: most are small, so that many can be tried. */
interface Scale {
  /** Divides how many files there are of what the tree is about. */
  fewer: number;
  /** Bytes of all contents at most. */
  bytes: number;
  /** Levels below the root at most. */
  levels: number;
  /** Entries of a folder that is wide: around a header's 256 entries, and far beyond. */
  widths: readonly number[];
  /** Names of one file at most. */
  names: number;
}

const large: Scale = {
  fewer: 1,
  bytes: 3 << 20,
  levels: DEEPEST - 2,
  widths: [255, 256, 257, 600, 4000],
  names: 3000,
};
const small: Scale = {
  fewer: 6,
  bytes: 320 << 10,
  levels: 20,
  widths: [20, 40, 60, 255, 256, 257],
  names: 30,
};
/** One of so many trees is a large one. */
const LARGE_ONE_OF = 40;

export interface RandomTree {
  tree: Tree;
  /** As `snapshot` has it, by path. */
  expected: Record<string, Snapshot>;
}

/** What a tree is about; each has a little of everything else. */
const themes = ["sizes", "tails", "links", "xattrs", "names", "deep", "wide", "all"] as const;

/** @param blockSize of the image that it will be, bytes */
export function randomTree(random: Random, blockSize: number): RandomTree {
  const scale = random.below(LARGE_ONE_OF) === 0 ? large : small;
  return new Grower(random, blockSize, scale).grow(themes[random.below(themes.length)] ?? "all");
}

/** Bytes of the longest file. */
const LONGEST = 8 * 131_072;
/** By seed, made once: what is shorter is the beginning of it. */
const made = new Map<string, Buffer>();

function beginning(size: number, kind: "noise" | "prose", seed: string): Buffer {
  const key = `${kind} ${seed}`;
  let whole = made.get(key);
  if (whole === undefined) {
    whole = kind === "noise" ? noise(LONGEST, seed) : prose(LONGEST, seed);
    made.set(key, whole);
  }
  return whole.subarray(0, size);
}

class Grower {
  readonly #random: Random;
  readonly #blockSize: number;
  readonly #scale: Scale;
  /** What may get more names. */
  readonly #files: Node[] = [];
  readonly #attributeSets: Xattr[][];
  #bytes = 0;

  constructor(random: Random, blockSize: number, scale: Scale) {
    this.#random = random;
    this.#blockSize = blockSize;
    this.#scale = scale;
    this.#attributeSets = this.#makeAttributeSets();
  }

  grow(theme: (typeof themes)[number]): RandomTree {
    const tree = new Tree(this.#attributes(0o755));
    const all = theme === "all";
    const some = (of: string, many: number) =>
      theme === of || all
        ? 1 + this.#random.below(Math.ceil(many / this.#scale.fewer))
        : this.#random.below(4);
    const folders: DirectoryNode[] = [tree.root];
    const put = (node: Node) => {
      const folder = folders[this.#random.below(folders.length)] ?? tree.root;
      const name = this.#name(theme === "names" || all);
      if (!folder.entries.has(name)) folder.entries.set(name, node);
      return node;
    };
    for (let i = this.#random.below(8); i > 0; i--) {
      const folder = put(directoryNode(this.#attributes(0o755)));
      if (folder.kind === "directory") folders.push(folder);
    }
    for (let i = some("sizes", 30); i > 0; i--) put(this.#file(this.#size()));
    for (let i = some("tails", 60); i > 0; i--) put(this.#file(this.#tail()));
    for (let i = some("names", 60); i > 0; i--) put(this.#small());
    for (let i = some("xattrs", 80); i > 0; i--) put(this.#small());
    for (let i = this.#random.below(6); i > 0; i--) this.#files.push(put(this.#special()));
    if (theme === "wide" || (all && this.#chance(3))) this.#widen(put);
    if (theme === "deep" || (all && this.#chance(3))) this.#deepen(put);
    for (let i = this.#nameCount(theme === "links" || all); i > 0 && this.#files.length > 0; i--) {
      const few = Math.min(this.#files.length, theme === "links" ? 3 : this.#files.length);
      put(this.#files[this.#random.below(few)] as Node);
    }
    return { tree, expected: expectedOf(tree.root) };
  }

  /** Names beyond the first that files have. */
  #nameCount(isAbout: boolean): number {
    if (!isAbout) return this.#random.below(4);
    const most = this.#chance(4) ? this.#scale.names : Math.min(this.#scale.names, 100);
    return 1 + this.#random.below(most);
  }

  #chance(one: number): boolean {
    return this.#random.below(one) === 0;
  }

  /** Around whole blocks, and the sizes at which inodes have another form. */
  #size(): number {
    const blocks = [0, 1, 2, 3, 7][this.#random.below(5)] ?? 0;
    const more = [-2, -1, 0, 0, 1, 2, this.#random.below(this.#blockSize)][this.#random.below(7)];
    return Math.max(0, blocks * this.#blockSize + (more ?? 0));
  }

  /** So that tails fill their fragment block to the last byte, or do not fit by one. */
  #tail(): number {
    const parts = 1 + this.#random.below(8);
    const size = Math.floor(this.#blockSize / parts) + this.#random.below(3) - 1;
    return Math.min(Math.max(size, 0), this.#blockSize - 1);
  }

  #file(size: number): Node {
    const allowed = Math.min(size, Math.max(0, this.#scale.bytes - this.#bytes));
    this.#bytes += allowed;
    const node = fileNode(this.#contents(allowed), this.#attributes(0o644));
    this.#files.push(node);
    return node;
  }

  #small(): Node {
    return this.#file(this.#random.below(40));
  }

  /** A few seeds, so that some files have the same contents, or the same beginning. */
  #contents(size: number): Buffer {
    const seed = `contents ${this.#random.below(4)}`;
    switch (this.#random.below(6)) {
      case 0:
        return beginning(size, "noise", seed);
      case 1:
        return beginning(size, "prose", seed);
      case 2:
        return Buffer.alloc(size); // A hole.
      case 3: {
        const holes = Buffer.alloc(size);
        const at = this.#random.below(size + 1);
        holes.set(beginning(Math.min(this.#blockSize, size - at), "noise", seed), at);
        return holes;
      }
      case 4:
        return Buffer.alloc(size, this.#random.below(256));
      default: {
        const ended = Buffer.from(beginning(size, "noise", seed));
        ended.fill(0, Math.max(0, size - 1));
        return ended;
      }
    }
  }

  #special(): Node {
    const attributes = this.#attributes(0o600, false);
    const numbers = { major: this.#random.below(4096), minor: this.#random.below(1 << 20) };
    switch (this.#random.below(6)) {
      case 0:
        return { kind: "block-device", ...attributes, ...numbers };
      case 1:
        return { kind: "character-device", ...attributes, ...numbers };
      case 2:
        return { kind: "fifo", ...attributes };
      case 3:
        return { kind: "socket", ...attributes };
      default: {
        const length = [1, 30, 255, 4095][this.#random.below(4)] ?? 1;
        const target = noise(length, `target ${this.#random.below(5)}`).toString("hex");
        return symlinkNode(target.slice(0, length), { ...attributes, mode: 0o777 });
      }
    }
  }

  /** More names than one block of a directory's table holds, and than its index needs. */
  #widen(put: (node: Node) => Node): void {
    const folder = put(directoryNode(this.#attributes(0o755)));
    if (folder.kind !== "directory") return;
    const { widths } = this.#scale;
    const many = widths[this.#random.below(widths.length)] ?? 256;
    const node = this.#small();
    for (let i = 0; i < many; i++) {
      const name = this.#chance(50) ? `${"w".repeat(200)}${i}` : `${i}`;
      folder.entries.set(name, this.#chance(20) ? this.#small() : node);
    }
  }

  #deepen(put: (node: Node) => Node): void {
    let folder = put(directoryNode(this.#attributes(0o755)));
    // One level is where it is put, one is below a folder of the root.
    for (let level = this.#random.below(this.#scale.levels); level > 0; level--) {
      if (folder.kind !== "directory") return;
      const below: Node = directoryNode(this.#attributes(0o755));
      folder.entries.set(this.#chance(5) ? "dd" : "d", below);
      if (this.#chance(9)) folder.entries.set("file", this.#small());
      folder = below;
    }
  }

  /** Any bytes but "/" and NUL, of any length. */
  #name(odd: boolean): string {
    const length = odd ? ([1, 2, 10, 254, 255][this.#random.below(5)] ?? 1) : 8;
    const bytes = this.#random.bytes(length);
    const name = [...bytes].map((byte) => {
      if (!odd) return "abcdefghijklmnopqrstuvwxyz"[byte % 26] as string;
      return byte === 0 || byte === 0x2f ? "x" : String.fromCharCode(byte);
    });
    const text = name.join("");
    return text === "." || text === ".." ? "..." : text;
  }

  #attributes(mode: number, isPlain = true): Attributes {
    const odd = this.#chance(4);
    const sets = this.#attributeSets;
    const xattrs = sets[this.#random.below(sets.length)] ?? [];
    const ids = [0, 1, 1000, 65_534, 65_535, 65_536, 4_294_967_294];
    const id = () => (odd ? (ids[this.#random.below(ids.length)] ?? 0) : 0);
    const times = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 1_700_000_000];
    return {
      mode: odd ? this.#random.below(0o10000) | 0o400 : mode,
      uid: id(),
      gid: id(),
      mtime: times[this.#random.below(times.length)] ?? 0,
      // The kernel lets nobody have the others on what is neither a file nor a folder.
      xattrs: isPlain ? xattrs : xattrs.filter(({ name }) => !name.startsWith("user.")),
    };
  }

  /**
   * Sets that are equal, that begin alike, that have one value under several names, and values that are
   * stored apart from where they are used.
   */
  #makeAttributeSets(): Xattr[][] {
    const value = () => {
      const size = [1, 8, 63, 64, 65, 300][this.#random.below(6)] ?? 1;
      return noise(size, `value ${this.#random.below(6)}`);
    };
    const name = () => {
      const space = ["user", "user", "trusted", "security"][this.#random.below(4)];
      return `${space}.${["a", "b", "ab", "n".repeat(200)][this.#random.below(4)]}`;
    };
    const set = () => {
      const found = new Map<string, Xattr>();
      for (let i = this.#random.below(5); i > 0; i--) {
        const one = name();
        found.set(one, { name: one, value: value() });
      }
      return [...found.values()];
    };
    return [[], [], [], ...Array.from({ length: this.#random.below(12) }, set)];
  }
}

/** S_IFMT of a mode, inode(7). */
export const TYPES: Record<Node["kind"], number> = {
  fifo: 0o010000,
  "character-device": 0o020000,
  directory: 0o040000,
  "block-device": 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

function expectedOf(root: DirectoryNode): Record<string, Snapshot> {
  const first = new Map<Node, string>();
  const contents = new Map<Node, string>();
  const entries: Record<string, Snapshot> = {};
  const visit = (node: Node, path: string): void => {
    if (!first.has(node)) {
      first.set(node, path);
      contents.set(node, contentOf(node));
    }
    entries[path] = {
      type: TYPES[node.kind],
      mode: node.mode,
      uid: node.uid,
      gid: node.gid,
      mtime: node.mtime,
      size: sizeOf(node),
      rdev: "major" in node ? deviceNumber(node) : 0,
      content: contents.get(node) as string,
      links: first.get(node) as string,
      xattrs: Object.fromEntries(
        node.xattrs.map(({ name, value }) => [name, `0x${Buffer.from(value).toString("hex")}`]),
      ),
    };
    if (node.kind !== "directory") return;
    for (const name of [...node.entries.keys()].sort())
      visit(node.entries.get(name) as Node, joinPath(path, name));
  };
  visit(root, "");
  return entries;
}

function sizeOf(node: Node): number {
  if (node.kind === "symlink") return node.target.length;
  return node.kind === "file" && node.contents.from === "memory" ? node.contents.bytes.length : 0;
}

function contentOf(node: Node): string {
  if (node.kind === "symlink") return node.target;
  if (node.kind !== "file" || node.contents.from !== "memory") return "";
  return createHash("sha256").update(node.contents.bytes).digest("hex");
}

/** As stat(2) has it: makedev(3). */
export function deviceNumber({ major, minor }: { major: number; minor: number }): number {
  return (minor & 0xff) + major * 0x100 + (minor >>> 8) * 0x100000;
}
