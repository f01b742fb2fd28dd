import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ImageReader, openImage } from "../../../builder/squashfs/image-reader.ts";
import { writeSquashfs } from "../../../builder/squashfs/writer.ts";
import { fileNode, symlinkNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";
import { prose } from "../../support/image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let dir: string;
let path: string;
let open: { fd: number; image?: ImageReader }[];

beforeEach(async () => {
  dir = temporaryDirectory();
  path = `${dir}/image`;
  open = [];
  const tree = new Tree();
  tree.add("d/file", fileNode(prose(500_000), { mode: 0o640 }));
  tree.add("d/link", symlinkNode("file"));
  const shared = fileNode("x", { xattrs: [{ name: "user.a", value: Buffer.from("1") }] });
  tree.add("one", shared);
  tree.add("two", shared);
  tree.add("null", {
    ...fileNode(""),
    kind: "character-device",
    major: 259,
    minor: 70_000,
  });
  await writeSquashfs(tree, { path }, { mtime: 3_000_000_000 });
});

afterEach(() => {
  for (const { fd, image } of open) {
    image?.close();
    closeSync(fd);
  }
});

function reader(offset = 0): ImageReader {
  const opened: (typeof open)[number] = { fd: openSync(path, "r") };
  open.push(opened);
  opened.image = openImage(opened.fd, offset, "shown");
  return opened.image;
}

/** Changes bytes of the image. */
function damage(change: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(path);
  writeFileSync(path, change(bytes) ?? bytes);
}

test("facts are those of the superblock", () => {
  expect(reader().facts).toMatchObject({
    compression: "zstd",
    blockSize: 131072,
    mtime: 3_000_000_000,
    inodes: 6,
    ids: 1,
    exportable: true,
    xattrs: true,
  });
});

test("the list has every entry, parents first", async () => {
  const entries = await reader().list();
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  expect([...byPath.keys()]).toEqual(["", "d", "d/file", "d/link", "null", "one", "two"]);
  expect(byPath.get("d/file")).toMatchObject({
    kind: "file",
    mode: 0o640,
    uid: 0,
    size: 500_000,
    mtime: 3_000_000_000,
    links: 1,
    xattrs: [],
  });
  expect(byPath.get("d/link")).toMatchObject({ kind: "symlink", target: "file", size: 4 });
  expect(byPath.get("null")).toMatchObject({ device: { major: 259, minor: 70_000 } });
  expect(byPath.get("one")).toMatchObject({
    links: 2,
    inode: byPath.get("two")?.inode,
    xattrs: [{ name: "user.a", value: Buffer.from("1") }],
  });
});

test("extraction reports what it did", async () => {
  mkdirSync(`${dir}/to`);
  const report = await reader().extract(`${dir}/to`);
  expect(report).toMatchObject({ entries: 5, skippedDevices: 1, skippedXattrs: 0 });
  expect(readFileSync(`${dir}/to/d/link`)).toEqual(prose(500_000));
});

test("the destination is at fault when it is", async () => {
  await expect(reader().extract(`${dir}/missing`)).rejects.toMatchObject({
    code: "E_EXTRACT_FAILED",
    path: `${dir}/missing`,
  });
  mkdirSync(`${dir}/full`);
  writeFileSync(`${dir}/full/one`, "");
  await expect(reader().extract(`${dir}/full`)).rejects.toMatchObject({
    code: "E_EXTRACT_FAILED",
    path: `${dir}/full/one`,
  });
});

test("a closed reader says so", () => {
  const image = reader();
  image.close();
  expect(() => image.list()).toThrow("closed");
});

describe("a damaged image", () => {
  const code = (expected: string) => expect.objectContaining({ code: expected, path: "shown" });

  test("without its magic is no image", () => {
    expect(() => reader(4096)).toThrow(code("E_IMAGE_MISSING"));
  });
  test("of another version is not supported", () => {
    damage((bytes) => void bytes.writeUInt16LE(3, 28));
    expect(() => reader()).toThrow(code("E_IMAGE_UNSUPPORTED"));
  });
  test("with an unknown compressor is not supported", () => {
    damage((bytes) => void bytes.writeUInt16LE(9, 20));
    expect(() => reader()).toThrow(code("E_IMAGE_UNSUPPORTED"));
  });
  test("that is cut short says so", () => {
    damage((bytes) => bytes.subarray(0, 1000));
    expect(() => reader()).toThrow(expect.objectContaining({ path: "shown" }));
  });
  test("with a damaged table is named when it is read", async () => {
    damage((bytes) => {
      const table = Number(bytes.readBigUInt64LE(64));
      return void bytes.fill(0xff, table + 2, table + 40);
    });
    await expect(reader().list()).rejects.toEqual(code("E_IMAGE_CORRUPT"));
  });
  // By the checksum of the block: to the decoder most changes of text look like other text.
  test.each([200, 20_000, 39_999])("with byte %i of a block changed is noticed", async (at) => {
    damage((bytes) => void bytes.writeUInt8((bytes[at] ?? 0) ^ 1, at));
    mkdirSync(`${dir}/to`);
    await expect(reader().extract(`${dir}/to`)).rejects.toMatchObject({
      code: "E_IMAGE_CORRUPT",
      message: expect.stringContaining("d/file"),
    });
  });
});
