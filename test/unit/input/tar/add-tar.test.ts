import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { addTar } from "../../../../builder/input/tar/add-tar.ts";
import { addon } from "../../../../builder/native/addon.ts";
import { readContents } from "../../../../builder/tree/read-contents.ts";
import { Tree } from "../../../../builder/tree/tree.ts";
import { noise, prose } from "../../../support/image.ts";
import { member, pax, record, tarOf, withSum } from "../../../support/tar.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

/** A stream that comes in pieces of a size. */
async function* pieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function treeOf(bytes: Buffer, size = 1000, devices = false): Promise<Tree> {
  const tree = new Tree();
  await addTar(tree, pieces(bytes, size), "t.tar", { workspace: temporaryDirectory(), devices });
  return tree;
}

async function textOf(tree: Tree, path: string): Promise<string | undefined> {
  const node = tree.get(path);
  if (node?.kind !== "file") return undefined;
  const parts: Uint8Array[] = [];
  for await (const part of readContents(node.contents)) parts.push(part);
  return Buffer.concat(parts).toString("latin1");
}

describe("entries", () => {
  test("come in pieces of any size", async () => {
    const large = noise(200_000, "large");
    const bytes = tarOf(
      { name: "./", type: "5", mode: "0000750" },
      { name: "d/", type: "5", mode: "0000700" },
      { name: "d/small", data: "small", mode: "0004755" },
      { name: "large", data: large },
      { name: "link", type: "2", linkName: "d/small" },
      { name: "hard", type: "1", linkName: "./d/small" },
      { name: "not/there/before", data: "x" },
    );
    for (const size of [1, 7, 512, 1 << 20]) {
      const tree = await treeOf(bytes, size);
      expect(tree.root.mode).toBe(0o750);
      expect(tree.get("d")).toMatchObject({ kind: "directory", mode: 0o700 });
      expect(tree.get("d/small")).toMatchObject({ mode: 0o4755, mtime: 1 });
      expect(tree.get("hard")).toBe(tree.get("d/small"));
      expect(tree.get("link")).toMatchObject({ kind: "symlink", target: "d/small" });
      expect(tree.get("not/there")).toMatchObject({ kind: "directory", mode: 0o755 });
      expect(await textOf(tree, "large")).toBe(large.toString("latin1"));
      expect(await textOf(tree, "d/small")).toBe("small");
    }
  });

  test("of a later place go before earlier ones", async () => {
    const tree = await treeOf(
      tarOf(
        { name: "file", data: "one" },
        { name: "file", data: "two" },
        { name: "dir/in", data: "in" },
        { name: "dir", type: "5", mode: "0000711" },
        { name: "gone/in", data: "in" },
        { name: "gone", data: "file" },
        { name: "link", type: "2", linkName: "dir" },
        { name: "link", type: "5" },
      ),
    );
    expect(await textOf(tree, "file")).toBe("two");
    expect(tree.get("dir")).toMatchObject({ mode: 0o711 });
    expect(await textOf(tree, "dir/in")).toBe("in");
    expect(await textOf(tree, "gone")).toBe("file");
    expect(tree.get("link")).toMatchObject({ kind: "directory" });
  });

  test("below a link are where it leads, never outside", async () => {
    const tree = await treeOf(
      tarOf(
        { name: "absolute", type: "2", linkName: "/etc/x" },
        { name: "absolute/passwd", data: "1" },
        { name: "up", type: "2", linkName: "../../.." },
        { name: "up/file", data: "2" },
        { name: "/srv/file", data: "3" },
        { name: "a/link", type: "2", linkName: "../b" },
        { name: "a/link/file", data: "4" },
      ),
    );
    expect(await textOf(tree, "etc/x/passwd")).toBe("1");
    expect(await textOf(tree, "file")).toBe("2");
    expect(await textOf(tree, "srv/file")).toBe("3");
    expect(await textOf(tree, "b/file")).toBe("4");
  });

  test("have what a pax header says, bytes as they are", async () => {
    const long = "x".repeat(200);
    const tree = await treeOf(
      tarOf(
        pax(
          record("path", `\xff${long}/${long}`),
          record("uid", "4000000000"),
          record("mtime", "-1.5"),
          record("SCHILY.xattr.user.a=b", "\x00\n=\xff"),
          record("SCHILY.xattr.security.selinux", "label"),
          record("comment", "none"),
        ),
        { name: "short", data: "1" },
        { name: "next", data: "2" },
        member({ name: "global", type: "g", data: record("gid", "77") }),
        { name: "after", data: "" },
      ),
    );
    expect(tree.get(`\xff${long}/${long}`)).toMatchObject({ uid: 4000000000, mtime: -2 });
    expect(tree.get("next")).toMatchObject({ uid: 0, gid: 0, mtime: 1, xattrs: [] });
    expect(tree.get("after")).toMatchObject({ gid: 77 });
  });

  test("may end without the empty blocks", async () => {
    expect(await textOf(await treeOf(member({ name: "a", data: "1" })), "a")).toBe("1");
  });

  test("that are devices have to be asked for", async () => {
    const bytes = tarOf({ name: "null", type: "3" }, { name: "pipe", type: "6" });
    await expect(treeOf(bytes)).rejects.toMatchObject({ code: "E_FILE_KIND" });
    const tree = await treeOf(bytes, 1000, true);
    expect(tree.get("null")).toMatchObject({ kind: "character-device", major: 0, minor: 0 });
    expect(tree.get("pipe")).toMatchObject({ kind: "fifo" });
  });
});

const bad = member({ name: "a" });
bad[0] = 0x62; // its checksum is that of "a"

describe("refused", () => {
  test.each<[string, string, Buffer]>([
    ["a way up", "E_ARCHIVE_UNSAFE", tarOf({ name: "../a" })],
    ["a way up in the middle", "E_ARCHIVE_UNSAFE", tarOf({ name: "a/../../b" })],
    [
      "a way up in a pax header",
      "E_ARCHIVE_UNSAFE",
      tarOf(pax(record("path", "a/..")), { name: "b" }),
    ],
    [
      "a hard link up",
      "E_ARCHIVE_UNSAFE",
      tarOf({ name: "a", type: "1", linkName: "../etc/passwd" }),
    ],
    [
      "links in a circle",
      "E_ARCHIVE_UNSAFE",
      tarOf(
        { name: "a", type: "2", linkName: "b" },
        { name: "b", type: "2", linkName: "a" },
        { name: "a/c" },
      ),
    ],
    ["a file below a file", "E_ARCHIVE_UNSAFE", tarOf({ name: "a" }, { name: "a/b" })],
    ["a hard link to nothing", "E_ARCHIVE_CORRUPT", tarOf({ name: "a", type: "1", linkName: "b" })],
    [
      "a hard link to a folder",
      "E_ARCHIVE_CORRUPT",
      tarOf({ name: "b", type: "5" }, { name: "a", type: "1", linkName: "b" }),
    ],
    ["a wrong checksum", "E_ARCHIVE_CORRUPT", tarOf(bad)],
    ["a size that is no number", "E_ARCHIVE_CORRUPT", tarOf({ name: "a", size: "12x" })],
    [
      "a size of 2^64",
      "E_ARCHIVE_CORRUPT",
      tarOf({ name: "a", size: `\x80\0\0\x01${"\0".repeat(8)}` }),
    ],
    ["a size below zero", "E_ARCHIVE_CORRUPT", tarOf({ name: "a", size: "\xff".repeat(12) })],
    ["more than there is", "E_ARCHIVE_CORRUPT", tarOf({ name: "a", size: 1 << 30 })],
    [
      "records of 2^32 bytes",
      "E_ARCHIVE_CORRUPT",
      tarOf({ name: "a", type: "x", size: "40000000000" }),
    ],
    [
      "a record that ends nowhere",
      "E_ARCHIVE_CORRUPT",
      tarOf(member({ name: "p", type: "x", data: "99 path=b\n" }), { name: "a" }),
    ],
    [
      "a record without a length",
      "E_ARCHIVE_CORRUPT",
      tarOf(member({ name: "p", type: "x", data: "path=b\n" }), { name: "a" }),
    ],
    [
      "a size that is no number in a record",
      "E_ARCHIVE_CORRUPT",
      tarOf(pax(record("size", "-1")), { name: "a" }),
    ],
    [
      "ranges over each other",
      "E_ARCHIVE_CORRUPT",
      tarOf(pax(record("GNU.sparse.size", "100"), record("GNU.sparse.map", "0,3,2,1")), {
        name: "a",
        data: "1234",
      }),
    ],
    [
      "ranges outside",
      "E_ARCHIVE_CORRUPT",
      tarOf(pax(record("GNU.sparse.size", "4"), record("GNU.sparse.map", "2,4")), {
        name: "a",
        data: "1234",
      }),
    ],
    [
      "ranges of other contents",
      "E_ARCHIVE_CORRUPT",
      tarOf(pax(record("GNU.sparse.size", "9"), record("GNU.sparse.map", "0,3")), {
        name: "a",
        data: "1234",
      }),
    ],
    [
      "a million ranges",
      "E_ARCHIVE_CORRUPT",
      tarOf(
        pax(
          record("GNU.sparse.major", "1"),
          record("GNU.sparse.minor", "0"),
          record("GNU.sparse.realsize", "9"),
        ),
        { name: "a", data: "1000000\n" },
      ),
    ],
    ["another volume", "E_ARCHIVE_CORRUPT", tarOf({ name: "a", type: "M" })],
    ["a type of somebody else", "E_ARCHIVE_CORRUPT", tarOf({ name: "a", type: "Q" })],
    ["a name with NUL", "E_PATH_INVALID", tarOf(pax(record("path", "a\0b")), { name: "a" })],
    ["a link to nowhere", "E_PATH_INVALID", tarOf({ name: "a", type: "2", linkName: "" })],
    ["noise", "E_ARCHIVE_CORRUPT", noise(5000, "noise")],
  ])("%s is %s", async (_, code, bytes) => {
    await expect(treeOf(bytes)).rejects.toMatchObject({ code });
  });

  const whole = tarOf({ name: "a", data: noise(3000, "a") }, pax(record("path", "c")), {
    name: "b",
    data: "b",
  });
  test("what is cut off, wherever", async () => {
    // The blocks at the end are optional; without the last one of an entry nothing is whole.
    for (let size = 1; size < whole.length - 1024; size += 37) {
      const isBetween = size === 3584 || size % 512 === 0;
      const cut = whole.subarray(0, size);
      if (isBetween) await treeOf(cut).catch(() => {});
      else
        await expect(treeOf(cut), `${size}`).rejects.toMatchObject({ code: "E_ARCHIVE_CORRUPT" });
    }
  });

  test("what is cut off or changed in a gzip stream", async () => {
    const packed = gzipSync(whole);
    await expect(treeOf(packed.subarray(0, 1000))).rejects.toMatchObject({
      code: "E_ARCHIVE_CORRUPT",
    });
    const changed = Buffer.from(packed);
    changed[1000] = (changed[1000] ?? 0) ^ 0xff;
    await expect(treeOf(changed)).rejects.toMatchObject({ code: "E_ARCHIVE_CORRUPT" });
  });

  test("a header whose bytes are any", async () => {
    for (let at = 0; at < 512; at += 3) {
      const header = Buffer.from(member({ name: "a", data: "1" }).subarray(0, 512));
      header[at] = (header[at] ?? 0) ^ 0xa5;
      // Any outcome but one that is ours.
      await treeOf(tarOf(withSum(header))).catch((error) =>
        expect(error.code).toMatch(/^E_(ARCHIVE|PATH|FILE)_/),
      );
    }
  });
});

test("a stream of zstd may have several frames, and is noticed when it is damaged", async () => {
  const compress = addon().createCompressor({
    codec: "zstd",
    level: 3,
    variants: 0,
    dictionary: 0,
    tag: 0,
    probes: false,
  });
  const text = prose(300_000, "text");
  const bytes = tarOf({ name: "a", data: text });
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 100_000) {
    frames.push(compress(bytes.subarray(at, at + 100_000)) ?? Buffer.alloc(0));
  }
  const packed = Buffer.concat(frames);
  for (const size of [1, 1000, 1 << 20]) {
    expect(await textOf(await treeOf(packed, size), "a")).toBe(text.toString("latin1"));
  }
  const cut = packed.subarray(0, packed.length - 5);
  await expect(treeOf(cut)).rejects.toMatchObject({ code: "E_ARCHIVE_CORRUPT" });
  const noFrame = Buffer.concat([packed.subarray(0, frames[0]?.length), Buffer.from("no frame")]);
  await expect(treeOf(noFrame)).rejects.toMatchObject({ code: "E_ARCHIVE_CORRUPT" });
});
