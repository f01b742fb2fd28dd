import { execFileSync } from "node:child_process";
import {
  cpSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { treeFromDirectory } from "../../../builder/input/add-directory.ts";
import type { WriteOptions } from "../../../builder/squashfs/squashfs-options.ts";
import { writeSquashfs } from "../../../builder/squashfs/writer.ts";
import { fileNode, pathOnDisk } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { xxh64 } from "../../support/xxh64.ts";

const BLOCK = 16384;
const pattern = (length: number, seed: number) =>
  Buffer.from(Array.from({ length }, (_, i) => ((i * seed) >> 4) % 251));

/** Blocks, ends, holes, ends that are holes, small files, empty ones, the same twice, several names. */
const FILES: Record<string, Buffer> = {
  large: Buffer.concat([pattern(BLOCK * 5, 7), Buffer.alloc(BLOCK * 2), pattern(777, 5)]),
  "large-again": Buffer.concat([pattern(BLOCK * 5, 7), Buffer.alloc(BLOCK * 2), pattern(777, 5)]),
  "ends-in-zeros": Buffer.concat([pattern(BLOCK, 13), Buffer.alloc(99)]),
  whole: pattern(BLOCK * 3, 11),
  empty: Buffer.alloc(0),
  ...Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [`small-${i}`, pattern(900 + i * 31, 3 + (i % 50))]),
  ),
};

/** Nothing is believed of files that changed in the last two seconds. */
const settle = () => setTimeout(2100);

let model: string;
let dir: string;
let input: string;

function fill(folder: string): void {
  mkdirSync(folder);
  for (const [name, bytes] of Object.entries(FILES)) writeFileSync(path.join(folder, name), bytes);
  writeFileSync(path.join(folder, "same-as-small-7"), FILES["small-7"] ?? "");
  linkSync(path.join(folder, "whole"), path.join(folder, "whole-by-another-name"));
}

/** Folders that are old enough, made at once: each test takes one. */
const ready: string[] = [];
beforeAll(async () => {
  model = temporaryDirectory();
  for (let i = 0; i < 60; i++) {
    const folder = path.join(model, String(i));
    fill(folder);
    ready.push(folder);
  }
  await settle();
});

beforeEach(() => {
  dir = temporaryDirectory();
  input = ready.pop() ?? "";
});

const caches = () => ({
  blockCache: path.join(dir, "blocks"),
  fileRecords: path.join(dir, "files"),
});
const kept = (part: "blocks" | "files") =>
  readdirSync(path.join(dir, part)).map((name) => path.join(dir, part, name));

async function write(options: WriteOptions = caches()) {
  const image = path.join(temporaryDirectory(), "image");
  const tree = await treeFromDirectory(input);
  const { unread, files } = await writeSquashfs(
    tree,
    { path: image },
    { blockSize: BLOCK, ...options },
  );
  return { bytes: readFileSync(image).toString("base64"), unread, files };
}

/** What a build without any cache makes. */
const plain = async (options: WriteOptions = {}) => (await write(options)).bytes;

describe("files that an earlier image had", () => {
  test.each([
    ["zstd", 15],
    ["gzip", 9],
    ["xz", 6],
    ["lz4", 9],
  ] as const)("are not read for %s %i, and the bytes are the same", async (compression, level) => {
    const settings = { compression, level };
    const wanted = await plain(settings);
    const first = await write({ ...settings, ...caches(), threads: 3 });
    expect(first).toMatchObject({ bytes: wanted, unread: 0 });
    const record = kept("files");
    expect(record).toHaveLength(1);
    for (const threads of [1, 2, 8]) {
      const next = await write({ ...settings, ...caches(), threads });
      expect(next).toEqual({ bytes: wanted, unread: first.files, files: first.files });
    }
    expect(kept("files")).toEqual(record); // It says all there is to say.
  });

  test.each(["none", "small"] as const)(
    "are not read where fragments are of %s",
    async (fragments) => {
      const wanted = await plain({ fragments });
      expect(await write({ ...caches(), fragments })).toMatchObject({ bytes: wanted, unread: 0 });
      const next = await write({ ...caches(), fragments });
      expect(next).toMatchObject({ bytes: wanted, unread: next.files });
      // What was recorded of the one is nothing to the other.
      expect((await write(caches())).bytes).toBe(await plain());
    },
  );

  test("are not taken for one where a file on disk holds many", async () => {
    const node = (await treeFromDirectory(input)).get("whole");
    if (node?.kind !== "file" || node.contents.from !== "disk") throw new Error("no file");
    const { size: fileSize, identity } = node.contents;
    const file = pathOnDisk(node.contents);
    const sizes = [500, BLOCK, BLOCK + 500];
    const offsets = [0, 700, BLOCK, 2 * BLOCK - 500];
    const image = async (options: WriteOptions) => {
      const tree = new Tree();
      for (const size of sizes) {
        for (const offset of offsets) {
          const contents = {
            from: "region",
            path: file,
            offset,
            size,
            fileSize,
            identity,
          } as const;
          tree.add(`${size}-at-${offset}`, fileNode(contents, node));
        }
      }
      const made = path.join(temporaryDirectory(), "image");
      await writeSquashfs(tree, { path: made }, { blockSize: BLOCK, ...options });
      return made;
    };
    const wanted = await image({});
    const list = path.join(temporaryDirectory(), "list");
    execFileSync("unsquashfs", ["-q", "-n", "-d", list, wanted]);
    for (const size of sizes) {
      for (const offset of offsets) {
        const bytes = FILES.whole?.subarray(offset, offset + size);
        expect(readFileSync(path.join(list, `${size}-at-${offset}`))).toEqual(bytes);
      }
    }
    for (let i = 0; i < 3; i++) {
      expect(readFileSync(await image(caches()))).toEqual(readFileSync(wanted));
    }
  });

  test("are read where the caller trusts nothing", async () => {
    const { bytes } = await write();
    expect(await write({ ...caches(), paranoid: true })).toMatchObject({ bytes, unread: 0 });
  });

  test("are read again when one changed, and its neighbours in a fragment", async () => {
    await write();
    writeFileSync(path.join(input, "small-9"), "other");
    const next = await write();
    expect(next.bytes).toBe(await plain());
    expect(next.unread).toBeGreaterThan(0);
    expect(next.unread).toBeLessThan(next.files - 1);
  });

  test("are the same by contents even when they are read at different times", async () => {
    await write();
    writeFileSync(path.join(input, "a-copy"), FILES["small-20"] ?? "");
    writeFileSync(path.join(input, "a-large-copy"), FILES["large"] ?? "");
    writeFileSync(path.join(input, "a-near-copy"), pattern(BLOCK * 3, 12));
    expect((await write()).bytes).toBe(await plain());
    expect((await write()).bytes).toBe(await plain());
  });

  test("are found when others come, go and stand elsewhere", async () => {
    await write();
    for (const name of ["small-3", "large", "small-50"]) rmSync(path.join(input, name));
    writeFileSync(path.join(input, "a-first"), pattern(BLOCK + 3000, 31));
    const next = await write();
    expect(next.bytes).toBe(await plain());
    expect(next.unread).toBeGreaterThan(3);
  });

  test("are read for another level", async () => {
    await write();
    const other = { level: 19 };
    expect(await write({ ...caches(), ...other })).toMatchObject({
      bytes: await plain(other),
      unread: 0,
    });
    const mixed = { compress: [{ glob: "small-1*", level: 3 }], store: ["whole"] };
    const wanted = await plain(mixed);
    for (let i = 0; i < 3; i++) {
      expect((await write({ ...caches(), ...mixed })).bytes).toBe(wanted);
      expect((await write()).bytes).toBe(await plain());
    }
  });
});

describe("a change shows", () => {
  /** Each must give what a build without a cache gives, and none of the old contents. */
  const changes: Record<string, (file: string) => void> = {
    "of contents, though size and time were put back": (file) => {
      const { atime, mtime, size } = statSync(file);
      writeFileSync(file, pattern(size, 97));
      utimesSync(file, atime, mtime);
    },
    "by another file of this name, size and time": (file) => {
      const { atime, mtime, size } = statSync(file);
      writeFileSync(`${file}.new`, pattern(size, 89));
      utimesSync(`${file}.new`, atime, mtime);
      renameSync(`${file}.new`, file);
    },
    "of one byte, in place": (file) => {
      const bytes = readFileSync(file);
      bytes.writeUInt8(bytes.readUInt8(500) ^ 1, 500);
      writeFileSync(file, bytes, { flag: "r+" });
    },
    "by two files that change places": (file) => {
      const [a, b] = [path.join(path.dirname(file), "small-30"), `${file}.away`];
      renameSync(file, b);
      renameSync(a, file);
      renameSync(b, a);
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    test.each(["small-4", "large", "whole"])(`${what}: %s`, async (name) => {
      const before = await write();
      change(path.join(input, name));
      const next = await write();
      expect(next.bytes).not.toBe(before.bytes);
      expect(next.bytes).toBe(await plain());
    });
  }

  test("is not believed away when it is of the last moments", async () => {
    writeFileSync(path.join(input, "small-5"), pattern(1000, 3));
    const { files } = await write();
    // All but this one had settled. It is read once more, with those that share its fragment.
    const next = await write();
    expect(next.unread).toBeLessThan(files);
    expect(next.unread).toBeGreaterThan(0);
    await settle();
    await write();
    expect((await write()).unread).toBe(files);
  });
});

describe("a record", () => {
  const damages: Record<string, (file: string) => void> = {
    emptied: (file) => truncateSync(file),
    "cut by a byte": (file) => truncateSync(file, statSync(file).size - 1),
    "larger than memory": (file) => truncateSync(file, 2 ** 40),
    longer: (file) => writeFileSync(file, "x", { flag: "a" }),
    "text of somebody's": (file) => writeFileSync(file, "text\n".repeat(1000)),
    "all zeros": (file) => writeFileSync(file, Buffer.alloc(statSync(file).size)),
    "in which rows are other ones": (file) => {
      const bytes = readFileSync(file);
      bytes.fill(0xff, 60, 200);
      writeFileSync(file, bytes);
    },
  };
  for (const [what, damage] of Object.entries(damages)) {
    test(`that is ${what} is removed and made again`, async () => {
      const { bytes, files } = await write();
      const [record = ""] = kept("files");
      damage(record);
      expect(await write()).toMatchObject({ bytes, unread: 0 });
      expect(kept("files")).not.toContain(record);
      expect(await write()).toMatchObject({ bytes, unread: files });
    });
  }

  test("with any byte changed gives the same image", async () => {
    const { bytes } = await write();
    const [record = ""] = kept("files");
    const whole = readFileSync(record);
    for (let i = 0; i < 40; i++) {
      const changed = Buffer.from(whole);
      const at = Math.floor((i * whole.length) / 40) + (i % 7);
      changed.writeUInt8(changed.readUInt8(at) ^ (1 << (i % 8)), at);
      for (const other of kept("files")) rmSync(other);
      writeFileSync(record, changed);
      expect((await write()).bytes).toBe(bytes);
    }
  });

  test("is of no use without the blocks, and is not missed", async () => {
    const { bytes, files } = await write();
    for (const file of kept("blocks")) rmSync(file);
    expect(await write()).toMatchObject({ bytes });
    expect(await write()).toMatchObject({ bytes, unread: files });
    for (const file of kept("blocks")) writeFileSync(file, Buffer.alloc(statSync(file).size));
    expect(await write()).toMatchObject({ bytes });
  });

  test("of blocks that are damaged leads to the files", async () => {
    const { bytes } = await write();
    const [blocks = ""] = kept("blocks");
    const whole = readFileSync(blocks);
    for (let at = 10; at < whole.length / 2; at += Math.floor(whole.length / 23)) {
      const changed = Buffer.from(whole);
      changed.writeUInt8(changed.readUInt8(at) ^ 4, at);
      for (const other of kept("blocks")) rmSync(other);
      writeFileSync(blocks, changed);
      expect((await write()).bytes).toBe(bytes);
    }
  });

  /** Where it says when it was begun, and what its sum is of (native/file_record.cc). */
  function begunAt(file: string, nanoseconds: bigint): void {
    const bytes = readFileSync(file);
    bytes.writeBigInt64LE(nanoseconds, 16);
    const key = Buffer.from(path.basename(file).slice(0, 32));
    const check = xxh64(key, xxh64(bytes.subarray(56), 0n));
    bytes.writeBigUInt64LE(xxh64(bytes.subarray(16, 56), check), 8);
    writeFileSync(file, bytes);
  }

  test("that is newer than now is not believed: the clock was set back", async () => {
    const { bytes, files } = await write();
    const [record = ""] = kept("files");
    begunAt(record, BigInt(Date.now()) * 1_000_000n - 1_000_000_000n);
    expect(await write()).toMatchObject({ bytes, unread: files }); // The sum is as it should be.
    begunAt(record, BigInt(Date.now() + 3_600_000) * 1_000_000n);
    expect(await write()).toMatchObject({ bytes, unread: 0 });
  });

  test("may be made and used many times at once", async () => {
    const wanted = await plain();
    for (let round = 0; round < 2; round++) {
      const images = await Promise.all(Array.from({ length: 5 }, () => write()));
      expect(new Set(images.map(({ bytes }) => bytes))).toEqual(new Set([wanted]));
      writeFileSync(path.join(input, "small-1"), `other ${round}`);
      expect((await write()).bytes).toBe(await plain());
      writeFileSync(path.join(input, "small-1"), FILES["small-1"] ?? "");
    }
    const left = [...kept("files"), ...kept("blocks")].filter((name) => name.endsWith(".tmp"));
    expect(left).toEqual([]);
  });

  test("of another folder stays beside it, and one of the same is replaced", async () => {
    await write();
    const own = input;
    input = ready.pop() ?? "";
    await write();
    expect(kept("files")).toHaveLength(2);
    input = own;
    writeFileSync(path.join(input, "small-1"), "other");
    await write();
    expect(kept("files")).toHaveLength(2);
    cpSync(path.join(input, "small-1"), path.join(input, "small-2"));
    expect((await write()).bytes).toBe(await plain());
    expect(kept("files")).toHaveLength(2);
  });

  skipUnless("root")("that a full disk has no room for is not missed", async () => {
    const { fileRecords } = caches();
    mkdirSync(fileRecords);
    const wanted = await plain();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4k,mode=0700", "none", fileRecords]);
    try {
      for (let i = 0; i < 3; i++) {
        expect(await write()).toMatchObject({ bytes: wanted, unread: 0 });
        expect(kept("files")).toEqual([]);
      }
    } finally {
      execFileSync("umount", [fileRecords]);
    }
  });
});
