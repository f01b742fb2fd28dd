import { open, readFile } from "node:fs/promises";
import path from "node:path";
import { inflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { writeZip, type ZipOptions } from "../../../builder/archive/zip.ts";
import { directoryNode, fileNode, symlinkNode } from "../../../builder/tree/node.ts";
import { byteString } from "../../../builder/tree/path.ts";
import { Tree } from "../../../builder/tree/tree.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function zipped(tree: Tree, options: Partial<ZipOptions> = {}): Promise<Buffer> {
  const file = path.join(temporaryDirectory(), "zip");
  const handle = await open(file, "w");
  try {
    await writeZip(tree, handle.fd, { level: 6, mtime: 315532800, ...options });
  } finally {
    await handle.close();
  }
  return readFile(file);
}

interface Entry {
  name: string;
  mode: number;
  time: number;
  text: string;
}

/** Entries by the central directory. */
function entries(zip: Buffer): Entry[] {
  const end = zip.lastIndexOf("PK\x05\x06");
  const found: Entry[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let i = 0; i < zip.readUInt16LE(end + 10); i++) {
    const nameBytes = zip.readUInt16LE(at + 28);
    const local = zip.readUInt32LE(at + 42);
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const data = zip.subarray(start, start + zip.readUInt32LE(at + 20));
    found.push({
      name: zip.toString("utf8", at + 46, at + 46 + nameBytes),
      mode: zip.readUInt32LE(at + 38) >>> 16,
      time: zip.readUInt32LE(at + 12),
      text: (zip.readUInt16LE(at + 10) === 8 ? inflateRawSync(data) : data).toString(),
    });
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return found;
}

test("names, modes, contents and targets are there, in byte order", async () => {
  const tree = new Tree();
  tree.add("b/gr\xc3\xbcn", fileNode("text", { mode: 0o4755 }));
  tree.add("a", symlinkNode("b/x"));
  tree.add("c", directoryNode({ mode: 0o1777 }));
  tree.add("B", fileNode("", { mode: 0 }));
  const shown = entries(await zipped(tree)).map(({ name, mode, text }) => [
    name,
    mode.toString(8),
    text,
  ]);
  expect(shown).toEqual([
    ["B", "100000", ""],
    ["a", "120777", "b/x"],
    ["b/", "40755", ""],
    ["b/grün", "104755", "text"],
    ["c/", "41777", ""],
  ]);
});

test.each([
  [0, 0x00210000],
  [315532800, 0x00210000],
  [315532800 + 3 * 3600, 0x00211800],
  [1720000001, 0x58e34dd4],
  [4354819200, 0xff9fbf7d],
])("a time of %i s is in UTC, and the nearest that zip can say", async (mtime, dos) => {
  const tree = new Tree();
  tree.add("a", fileNode("x"));
  expect(entries(await zipped(tree, { mtime })).map(({ time }) => time)).toEqual([dos]);
});

test("an inode with two names is there twice", async () => {
  const tree = new Tree();
  const node = fileNode("same");
  tree.add("one", node);
  tree.add("two", node);
  expect(entries(await zipped(tree, { level: 0 })).map(({ text }) => text)).toEqual([
    "same",
    "same",
  ]);
});

test.each([
  ["not UTF-8", "a\xff"],
  ["with a backslash", "a\\b"],
  ["like a drive letter", "C:x"],
])("a name %s is refused", async (_, name) => {
  const tree = new Tree();
  tree.add("first", fileNode("x"));
  tree.add(name, fileNode("x"));
  await expect(zipped(tree)).rejects.toMatchObject({ code: "E_PATH_INVALID" });
});

test("a device is refused", async () => {
  const tree = new Tree();
  tree.add("null", { ...fileNode(""), kind: "character-device", major: 1, minor: 3 });
  await expect(zipped(tree)).rejects.toMatchObject({ code: "E_FILE_KIND" });
});

test("contents that cannot be read end the archive", async () => {
  const tree = new Tree();
  const identity = { dev: 0n, ino: 0n, mtimeNs: 0n, ctimeNs: 0n };
  for (let i = 0; i < 5; i++) tree.add(`before-${i}`, fileNode("x".repeat(100_000)));
  const missing = byteString("/nowhere/at/all");
  tree.add("gone", fileNode({ from: "disk", folder: missing, name: "", size: 1, identity }));
  await expect(zipped(tree)).rejects.toMatchObject({ code: "E_FILE_CHANGED", path: missing });
});
