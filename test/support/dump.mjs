// Canonical listing of a tree, one line an entry, so that a source folder, a mounted image and an
// extracted one can be compared byte for byte. A program of its own, because it has to run inside
// the namespace of the bundle that it looks at:
//
//   node dump.mjs DIR [UID GID]
//
// Path (JSON), type, mode, owner, modification time (s), size, device, link target, SHA-256,
// first path of the same inode, extended attributes. Sizes and link counts of directories differ
// from file system to file system and are left out. With UID and GID, every owner is printed as
// these: what an unprivileged mount shows.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";

const [dir, uid, gid] = process.argv.slice(2);
const lines = [];
const firstPaths = new Map();

function digest(file) {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(1 << 20);
  const fd = openSync(file, "r");
  for (let n = readSync(fd, buffer); n > 0; n = readSync(fd, buffer)) {
    hash.update(buffer.subarray(0, n));
  }
  closeSync(fd);
  return hash.digest("hex");
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

const types = [
  ["directory", (stat) => stat.isDirectory()],
  ["file", (stat) => stat.isFile()],
  ["symlink", (stat) => stat.isSymbolicLink()],
  ["block", (stat) => stat.isBlockDevice()],
  ["char", (stat) => stat.isCharacterDevice()],
  ["fifo", (stat) => stat.isFIFO()],
  ["socket", (stat) => stat.isSocket()],
];

function describe(path, name) {
  const stat = lstatSync(path);
  const [type] = types.find(([, is]) => is(stat));
  const line = {
    path: name.toString("latin1"),
    type,
    mode: (stat.mode & 0o7777).toString(8),
    owner: `${uid ?? stat.uid}:${gid ?? stat.gid}`,
    mtime: Math.floor(stat.mtimeMs / 1000),
  };
  if (type === "file") Object.assign(line, { size: stat.size, sha256: digest(path) });
  if (type === "symlink") line.target = readlinkSync(path, "buffer").toString("latin1");
  if (type === "block" || type === "char") line.rdev = stat.rdev;
  if (type !== "directory" && stat.nlink > 1) {
    const key = `${stat.dev}:${stat.ino}`;
    if (!firstPaths.has(key)) firstPaths.set(key, line.path);
    line.links = stat.nlink;
    line.sameAs = firstPaths.get(key);
  }
  lines.push(line);
  return type;
}

const root = Buffer.from(dir);
const join = (base, name) =>
  base.length > 0 ? Buffer.concat([base, Buffer.from("/"), name]) : name;
const pending = [Buffer.alloc(0)];
while (pending.length > 0) {
  const name = pending.pop();
  const path = name.length > 0 ? join(root, name) : root;
  if (describe(path, name) !== "directory") continue;
  const children = readdirSync(path, { encoding: "buffer" }).sort(Buffer.compare).reverse();
  pending.push(...children.map((child) => join(name, child)));
}

// One process for all; -h: of links themselves. Names are octal-escaped by getfattr.
const attributes = new Map();
const output = execFileSync("getfattr", ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "."], {
  cwd: dir,
  maxBuffer: 1 << 28,
  encoding: "latin1",
});
for (const block of output.split("\n\n")) {
  const [header, ...pairs] = block.split("\n").filter(Boolean);
  if (!header) continue;
  const name = header
    .replace("# file: ", "")
    .replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
  // Long values would make a failing comparison unreadable.
  const short = pairs.map((pair) =>
    pair.length > 200 ? `${pair.slice(0, 60)}...${pair.length} ${sha256(pair)}` : pair,
  );
  attributes.set(name === "." ? "" : name.replace(/^\.\//, ""), short.sort());
}
for (const line of lines) {
  const found = attributes.get(line.path);
  if (found) line.xattrs = found;
  console.log(JSON.stringify(line));
}
