/** Trees beyond 16 and 32 bits of something, as the kernel and unsquashfs see them. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeSync,
} from "node:fs";
import { expect } from "vitest";
import { treeFromDirectory } from "../../builder/input/add-directory.ts";
import { writeSquashfs } from "../../builder/squashfs/writer.ts";
import { fileNode, symlinkNode } from "../../builder/tree/node.ts";
import { Tree } from "../../builder/tree/tree.ts";
import { noise, prose, withMounted } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const COUNT = 70_000;

/** More entries than 16 bits count, more inodes too, a listing of many metadata blocks. */
function hugeDirectory(): Tree {
  const tree = new Tree();
  for (let i = 0; i < COUNT; i++) {
    const name = `huge/entry-${String(i * 7919).padStart(12, "0")}`;
    tree.add(name, i % 2 === 0 ? fileNode("") : symlinkNode(`target ${i}`));
  }
  const shared = fileNode("shared");
  tree.add("a-link", shared);
  tree.add("z-link", shared);
  return tree;
}

skipUnless("root", "loop")("the kernel finds every name of a directory of 70,000", async () => {
  const image = `${temporaryDirectory()}/image`;
  const facts = await writeSquashfs(hugeDirectory(), { path: image });
  expect(facts.inodes).toBe(COUNT + 3);
  withMounted(image, (mounted) => {
    const names = readdirSync(`${mounted}/huge`);
    expect(names.length).toBe(COUNT);
    expect(new Set(names).size).toBe(COUNT);
    for (const name of names) lstatSync(`${mounted}/huge/${name}`);
    expect(() => lstatSync(`${mounted}/huge/entry-`)).toThrow("ENOENT");
    expect(() => lstatSync(`${mounted}/huge/zzz`)).toThrow("ENOENT");
    expect(lstatSync(`${mounted}/a-link`)).toMatchObject({
      nlink: 2,
      ino: lstatSync(`${mounted}/z-link`).ino,
    });
  });
});

skipUnless("unsquashfs")("unsquashfs lists a directory of 70,000", async () => {
  const image = `${temporaryDirectory()}/image`;
  await writeSquashfs(hugeDirectory(), { path: image }, { compression: "gzip" });
  const output = execFileSync("unsquashfs", ["-l", "-d", "", image], { maxBuffer: 1 << 26 });
  // And the directory, the two links, and the root as an empty line.
  expect(
    output
      .toString()
      .split("\n")
      .filter((line) => line !== "").length,
  ).toBe(COUNT + 3);
});

const GIB = 1024 ** 3;

skipUnless("root", "loop")("a sparse file of 5 GiB takes no space and has its data", async () => {
  const dir = temporaryDirectory();
  const source = `${dir}/source/`;
  execFileSync("mkdir", [source]);
  const fd = openSync(`${source}/sparse`, "w");
  ftruncateSync(fd, 5 * GIB);
  const marks = [0, GIB + 123, 4 * GIB + 5, 5 * GIB - 7];
  for (const at of marks) writeSync(fd, `mark ${at}`.slice(0, 7), at);
  closeSync(fd);
  const image = `${dir}/image`;
  const facts = await writeSquashfs(await treeFromDirectory(source), { path: image });
  expect(facts.contentBytes).toBe(5 * GIB);
  expect(facts.paddedBytes).toBeLessThan(100_000);
  expect(facts.sparseBytes).toBeGreaterThan(4.99 * GIB);
  withMounted(image, (mounted) => {
    const file = `${mounted}/sparse`;
    expect(lstatSync(file).size).toBe(5 * GIB);
    expect(lstatSync(file).blocks * 512).toBeLessThan(1 << 20);
    const read = openSync(file, "r");
    for (const at of marks) {
      const bytes = Buffer.alloc(64);
      const size = readSync(read, bytes, 0, 64, at);
      const expected = Buffer.alloc(size);
      expected.write(`mark ${at}`.slice(0, 7));
      expect(bytes.subarray(0, size)).toEqual(expected);
    }
    const gap = Buffer.alloc(1 << 20, 1);
    readSync(read, gap, 0, gap.length, 3 * GIB);
    expect(gap.every((byte) => byte === 0)).toBe(true);
    closeSync(read);
  });
});

// A checksum that lies in another segment of the device than the data makes the kernel's squashfs
// fail with EIO, so blocks must end everywhere relative to segments for this to say anything.
skipUnless("root", "loop")("the kernel reads zstd blocks wherever they end", async () => {
  const image = `${temporaryDirectory()}/image`;
  const blockSize = 4096;
  const tree = new Tree();
  const bytes = Buffer.concat(
    Array.from({ length: 12_000 }, (_, i) =>
      Buffer.concat([prose(blockSize - 97 - (i % 512), `${i}`), noise(97 + (i % 512), `${i}`)]),
    ),
  );
  tree.add("file", fileNode(bytes));
  await writeSquashfs(tree, { path: image }, { level: 1, blockSize });
  withMounted(image, (mounted) => expect(readFileSync(`${mounted}/file`).equals(bytes)).toBe(true));
});
