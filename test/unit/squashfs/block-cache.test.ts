import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { writeSquashfs } from "../../../builder/squashfs/writer.ts";
import { fileNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** Compresses somewhat, and has a block of zeros and a tail. */
const bytes = Buffer.concat([
  Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251)),
  Buffer.alloc(131_072 * 2),
  Buffer.from(Array.from({ length: 200_001 }, (_, i) => (i * 7919) % 255)),
]);

function treeOf(file: string, digest: string | undefined, more = ""): Tree {
  const { dev, ino, mtimeNs, ctimeNs, size } = statSync(file, { bigint: true });
  const tree = new Tree();
  // What stands in front moves the blocks, and a block may have to fit its place.
  if (more !== "") tree.add("a", fileNode(more));
  tree.add(
    "b/large",
    fileNode({
      from: "disk",
      path: file,
      size: Number(size),
      identity: { dev, ino, mtimeNs, ctimeNs },
      ...(digest !== undefined && { digest }),
    }),
  );
  return tree;
}

async function made(dir: string) {
  const file = path.join(dir, "large");
  writeFileSync(file, bytes);
  const digest = createHash("sha256").update(bytes).digest("hex");
  const cache = path.join(dir, "cache");
  let count = 0;
  const write = async (options: object, known: string | undefined = digest, more = "") => {
    const image = path.join(dir, `${count++}.sfs`);
    await writeSquashfs(treeOf(file, known, more), { path: image }, options);
    return readFileSync(image).toString("base64");
  };
  return { write, cache, kept: () => readdirSync(cache) };
}

/** Writes an entry as the cache does it. */
function writeEntry(file: string, held: Buffer): void {
  const digest = createHash("sha256").update(path.basename(file)).update(held).digest();
  writeFileSync(file, Buffer.concat([held, digest]));
}

describe("blocks that are kept", () => {
  test.each(["zstd", "gzip"] as const)("give the bytes that %s gives", async (compression) => {
    const { write, cache, kept } = await made(temporaryDirectory());
    for (const more of ["", "x".repeat(70_000), "y".repeat(131_072 + 555)]) {
      const plain = await write({ compression }, undefined, more);
      expect(await write({ compression, blockCache: cache }, undefined, more)).toBe(plain);
      expect(await write({ compression, blockCache: cache, threads: 1 }, "", more)).toBe(plain);
    }
    const plain = await write({ compression });
    expect(await write({ compression, blockCache: cache })).toBe(plain);
    expect(kept()).toHaveLength(1);
    expect(await write({ compression, blockCache: cache })).toBe(plain);
  });

  test("are used: what they hold is what an image gets", async () => {
    const { write, cache, kept } = await made(temporaryDirectory());
    const plain = await write({ blockCache: cache });
    const file = path.join(cache, kept()[0] ?? "");
    // The first block is stored as it is: the same contents, other bytes of the image.
    const old = readFileSync(file).subarray(0, -32);
    const header = Buffer.from(old.subarray(0, 8 + 4 * Number(old.readBigUInt64LE())));
    const first = header.readUInt32LE(8);
    header.writeUInt32LE(131_072 | (1 << 24), 8);
    const blocks = [bytes.subarray(0, 131_072), old.subarray(header.length + first)];
    writeEntry(file, Buffer.concat([header, ...blocks]));
    const changed = await write({ blockCache: cache });
    expect(changed).not.toBe(plain);
    expect(kept()).toHaveLength(1);
  });

  test("are made again when they are damaged, and belong to their settings", async () => {
    const { write, cache, kept } = await made(temporaryDirectory());
    const plain = await write({ blockCache: cache });
    const name = kept()[0] ?? "";
    writeFileSync(path.join(cache, name), "damaged");
    expect(await write({ blockCache: cache })).toBe(plain);
    expect(readFileSync(path.join(cache, name)).length).toBeGreaterThan(1000);
    await write({ blockCache: cache, level: 3 });
    await write({ blockCache: cache, blockSize: 65536 });
    expect(kept()).toHaveLength(3);
  });

  test("are removed when nobody used them for a month", async () => {
    const { write, cache, kept } = await made(temporaryDirectory());
    await write({ blockCache: cache, level: 3 });
    const [old = ""] = kept();
    utimesSync(path.join(cache, old), 0, Date.now() / 1000 - 31 * 24 * 3600);
    await write({ blockCache: cache });
    expect(kept()).toHaveLength(1);
    expect(kept()).not.toContain(old);
  });

  test("of a folder that others can change are neither used nor made", async () => {
    const { write, cache, kept } = await made(temporaryDirectory());
    const plain = await write({});
    await write({ blockCache: cache });
    const file = path.join(cache, kept()[0] ?? "");
    // What is used is marked with the time.
    const used = async () => {
      utimesSync(file, 0, 0);
      expect(await write({ blockCache: cache })).toBe(plain);
      return existsSync(file) && statSync(file).mtimeMs > 0;
    };
    for (const open of [cache, path.dirname(cache)]) {
      chmodSync(open, 0o777);
      expect(await used()).toBe(false);
      await write({ blockCache: cache, level: 3 });
      expect(kept()).toHaveLength(1);
      chmodSync(open, 0o755);
    }
    utimesSync(file, Date.now() / 1000, Date.now() / 1000 - 3600);
    const before = statSync(file).mtimeMs;
    expect(await write({ blockCache: cache })).toBe(plain);
    expect(statSync(file).mtimeMs).toBeGreaterThan(before);
  });

  test("are not kept where nothing can be written", async () => {
    const dir = temporaryDirectory();
    const { write } = await made(dir);
    writeFileSync(path.join(dir, "file"), "");
    const blockCache = path.join(dir, "file/cache");
    expect(await write({ blockCache })).toBe(await write({}));
  });
});
