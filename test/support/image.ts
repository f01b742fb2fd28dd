/** Trees on disk for image tests: one with everything in it, and a record of what a tree holds. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { isRoot } from "./process.ts";

/** One entry of a tree, as everyone who shows the tree must show it. */
export interface Snapshot {
  type: number;
  mode: number;
  uid: number;
  gid: number;
  mtime: number;
  size: number;
  rdev: number;
  /** SHA-256 of a file, or the target of a link. */
  content: string;
  /** The first of the names that the same inode has. */
  links: string;
  xattrs: Record<string, string>;
}

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFDIR = 0o040000;

/** The bytes of a path below `dir`, which may be no UTF-8. */
function onDisk(dir: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(path, "latin1")]);
}

const chunk = Buffer.alloc(1 << 20);

export function hashFile(path: string | Buffer): string {
  const fd = openSync(path, "r");
  const hash = createHash("sha256");
  for (let size = readSync(fd, chunk); size > 0; size = readSync(fd, chunk)) {
    hash.update(chunk.subarray(0, size));
  }
  closeSync(fd);
  return hash.digest("hex");
}

/** Extended attributes of everything below `dir`, by path, values in hexadecimal. */
function xattrsBelow(dir: string): Map<string, Record<string, string>> {
  const args = ["-R", "-P", "-h", "-d", "-m", "^(user|trusted|security)\\.", "-e", "hex", "."];
  // The kernel's squashfs says "not supported" for a file without attributes, which is no failure.
  const { stdout: output } = spawnSync("getfattr", args, { cwd: dir, maxBuffer: 1 << 28 });
  const found = new Map<string, Record<string, string>>();
  let current: Record<string, string> = {};
  for (const line of output.toString("latin1").split("\n")) {
    if (line.startsWith("# file: ")) {
      current = {};
      const escaped = line.slice("# file: ".length);
      const path = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      );
      found.set(path === "." ? "" : path.replace(/^\.\//, ""), current);
    } else if (line.includes("=")) {
      const at = line.indexOf("=");
      current[line.slice(0, at)] = line.slice(at + 1);
    }
  }
  return found;
}

/**
 * What is below `dir`, by path ("" is `dir` itself). Paths are byte strings. A file that has several names is read
 * by the first.
 *
 * @param xattrs of all paths, where they are known or nobody asks for them
 */
export function snapshot(dir: string, xattrs = xattrsBelow(dir)): Record<string, Snapshot> {
  const firstNames = new Map<string, string>();
  const entries: Record<string, Snapshot> = {};
  const visit = (path: string): void => {
    const file = onDisk(dir, path === "" ? "." : path);
    const stat = lstatSync(file, { bigint: true });
    const type = Number(stat.mode) & S_IFMT;
    const inode = `${stat.dev}:${stat.ino}`;
    const first = firstNames.get(inode);
    if (first === undefined) firstNames.set(inode, path);
    const content = () => {
      if (type === S_IFREG) return hashFile(file);
      if (type !== S_IFLNK) return "";
      return readlinkSync(file, { encoding: "buffer" }).toString("latin1");
    };
    entries[path] = {
      type,
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      mtime: Number(stat.mtimeNs / 1_000_000_000n),
      size: type === S_IFREG || type === S_IFLNK ? Number(stat.size) : 0,
      rdev: Number(stat.rdev),
      content: first === undefined ? content() : (entries[first] as Snapshot).content,
      links: first ?? path,
      xattrs: xattrs.get(path) ?? {},
    };
    if (type !== S_IFDIR) return;
    const names = readdirSync(file, { encoding: "buffer" }).map((name) => name.toString("latin1"));
    for (const name of names.sort()) visit(path === "" ? name : `${path}/${name}`);
  };
  visit("");
  return entries;
}

/** Bytes that do not compress, the same on every call with the same seed. */
export const noise = (size: number, seed = "noise"): Buffer =>
  createHash("shake128", { outputLength: size }).update(seed).digest();

/** Noise that a slow codec works at for long: six bits of eight, where noise itself is passed over. */
export const slowNoise = (length: number): Buffer =>
  Buffer.from(noise(length).map((byte) => byte & 63));

/** Text that compresses about as well as program text does. */
export function prose(size: number, seed = "prose"): Buffer {
  const words = noise(Math.ceil(size / 3), seed);
  const list =
    "the of and to in a is that for it as was with be by on not he his but at are this".split(" ");
  let text = "";
  for (let i = 0; text.length < size; i++)
    text += `${list[(words[i] ?? 0) % list.length]} ${words[i]} `;
  return Buffer.from(text.slice(0, size));
}

/** A name that nobody has used. */
export function freshName(): string {
  return randomBytes(6).toString("hex");
}

/**
 * Makes `dir` and in it one of everything that an image can hold; devices, owners and privileged
 * attributes only as root.
 */
export function makeSampleTree(dir: string, blockSize = 131072): void {
  mkdirSync(dir);
  const put = (path: string, bytes: Uint8Array | string, mode = 0o644): void => {
    const file = onDisk(dir, path);
    writeFileSync(file, bytes);
    chmodSync(file, mode);
  };
  for (const path of ["bin", "empty", "deep", "links", "names", "data", "attributes"]) {
    mkdirSync(onDisk(dir, path));
  }
  let deep = "deep";
  for (let i = 0; i < 40; i++) {
    deep += `/${i}`;
    mkdirSync(onDisk(dir, deep));
  }
  put(`${deep}/leaf`, "at the end");
  put("empty-file", "");
  put("bin/tool", "#!/bin/sh\nexit 0\n", 0o755);
  put("bin/setuid", "setuid", 0o4755);
  put("bin/secret", "secret", 0o600);
  chmodSync(onDisk(dir, "empty"), 0o1777);
  for (const [name, size] of Object.entries({
    one: 1,
    under: blockSize - 1,
    exact: blockSize,
    over: blockSize + 1,
    several: blockSize * 5 + 1234,
  })) {
    put(`data/${name}.txt`, prose(size, name));
    put(`data/${name}.bin`, noise(size, name));
  }
  put("data/copy-of-one.txt", prose(1, "one"));
  put("data/copy-of-several.bin", noise(blockSize * 5 + 1234, "several"));
  const holes = Buffer.alloc(blockSize * 4 + 100);
  holes.set(noise(blockSize, "middle"), blockSize * 2);
  put("data/holes", holes);
  put("data/all-zero", Buffer.alloc(blockSize * 3));
  put("data/zero-end", Buffer.concat([noise(blockSize, "head"), Buffer.alloc(77)]));
  put("data/small-zero", Buffer.alloc(10));
  put("names/-dash", "1");
  put("names/ space ", "2");
  put("names/new\nline", "3");
  put("names/\xff\xfe not utf-8", "4");
  put(`names/${"n".repeat(255)}`, "5");
  put("names/\xc3\xa9t\xc3\xa9", "6");
  put("links/first", "linked");
  linkSync(onDisk(dir, "links/first"), onDisk(dir, "links/second"));
  linkSync(onDisk(dir, "links/first"), onDisk(dir, "bin/third"));
  symlinkSync("../data/one.txt", onDisk(dir, "links/relative"));
  symlinkSync("/nowhere", onDisk(dir, "links/dangling"));
  symlinkSync("x".repeat(4000), onDisk(dir, "links/long"));
  for (const path of ["attributes/a", "attributes/b", "attributes/none"]) put(path, path);
  const setXattr = (path: string, name: string, value: string): void => {
    execFileSync("setfattr", ["-h", "-n", name, "-v", value, path], { cwd: dir });
  };
  for (const path of ["attributes/a", "attributes/b", "attributes"]) {
    setXattr(path, "user.origin", "somewhere");
    setXattr(path, "user.empty", "");
  }
  setXattr("attributes/b", "user.long", "v".repeat(2000));
  if (isRoot) makePrivileged(dir, setXattr);
  for (const path of ["links/first", "data/one.txt", "links/dangling", "bin", "empty", "names"]) {
    lutimesSync(onDisk(dir, path), 1_000_000_000, 1_000_000_000 + path.length);
  }
  lutimesSync(onDisk(dir, "data/one.bin"), 0, 3_000_000_000); // After 2038.
}

function makePrivileged(
  dir: string,
  setXattr: (path: string, name: string, value: string) => void,
): void {
  setXattr("attributes/a", "trusted.note", "trusted");
  setXattr("attributes/a", "security.note", "secure");
  setXattr("links/relative", "trusted.note", "on a link");
  mkdirSync(onDisk(dir, "special"));
  const make = (...args: string[]) => execFileSync("mknod", args, { cwd: `${dir}/special` });
  make("fifo", "p");
  make("null", "c", "1", "3");
  make("disk", "b", "259", "70000");
  make("loop", "b", "7", "300");
  setXattr("special/null", "trusted.note", "on a device");
  chownSync(onDisk(dir, "bin/secret"), 1000, 1001);
  chownSync(onDisk(dir, "data"), 4_000_000_000, 65534);
}

/** Mounts an image by the kernel for as long as `use` takes. */
export function withMounted(image: string, use: (dir: string) => void, offset = 0): void {
  const mounted = `${image}-mounted-${freshName()}`;
  mkdirSync(mounted);
  const options = `loop,ro,offset=${offset}`;
  execFileSync("mount", ["-t", "squashfs", "-o", options, image, mounted]);
  try {
    use(mounted);
  } finally {
    execFileSync("umount", [mounted]);
    rmdirSync(mounted);
  }
}
