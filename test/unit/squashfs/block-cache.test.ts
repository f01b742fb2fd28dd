import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
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
import { beforeEach, describe, expect, test } from "vitest";
import { treeFromDirectory } from "../../../builder/input/add-directory.ts";
import { BlockCache } from "../../../builder/squashfs/block-cache.ts";
import { resolveOptions, type WriteOptions } from "../../../builder/squashfs/squashfs-options.ts";
import { writeSquashfs } from "../../../builder/squashfs/writer.ts";
import { noise, slowNoise } from "../../support/image.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const BLOCK = 16384;
const pattern = (length: number, seed: number) =>
  Buffer.from(Array.from({ length }, (_, i) => ((i * seed) >> 4) % 251));

let dir: string;
let input: string;
let cache: string;

/** Blocks, ends, holes, what does not shrink, small files, the same twice. */
beforeEach(() => {
  dir = temporaryDirectory();
  [input, cache] = [path.join(dir, "input"), path.join(dir, "cache/blocks")];
  mkdirSync(input);
  const large = [pattern(BLOCK * 5, 7), Buffer.alloc(BLOCK * 2), noise(BLOCK * 2), pattern(777, 5)];
  const files: Record<string, Buffer> = {
    large: Buffer.concat(large),
    again: Buffer.concat(large),
    whole: pattern(BLOCK * 3, 11),
    noise: noise(5000),
    empty: Buffer.alloc(0),
    one: Buffer.from("x"),
  };
  for (let i = 0; i < 40; i++) files[`small-${i}`] = pattern(900 + i * 31, 3 + i);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(input, name), bytes);
});

async function write(options: WriteOptions = { blockCache: cache }): Promise<string> {
  const image = path.join(temporaryDirectory(), "image");
  await writeSquashfs(
    await treeFromDirectory(input),
    { path: image },
    { blockSize: BLOCK, ...options },
  );
  return readFileSync(image).toString("base64");
}

const kept = () =>
  readdirSync(cache)
    .sort()
    .map((name) => path.join(cache, name));
const bytesOf = (files: readonly string[]) =>
  files.reduce((sum, file) => sum + statSync(file).size, 0);

describe("an image with a cache", () => {
  test.each([
    ["zstd", 15],
    ["zstd", 6],
    ["gzip", 9],
    ["gzip", 1],
    ["xz", 6],
    ["lz4", 9],
  ] as const)(
    "has the bytes that %s %i gives, empty or full, by one thread or three",
    async (compression, level) => {
      const plain = await write({ compression, level });
      const cached = { compression, level, blockCache: cache };
      expect(await write({ ...cached, threads: 3 })).toBe(plain);
      const [made = ""] = kept();
      expect(kept()).toHaveLength(1);
      for (const threads of [1, 3]) {
        expect(await write({ ...cached, threads })).toBe(plain);
        expect(kept()).toEqual([made]); // All was found, ends and small files too.
      }
      // What stands in front moves all blocks, and a block may have to fit its place.
      for (const length of [4000, BLOCK + 555, BLOCK * 3 + 1]) {
        writeFileSync(path.join(input, "a-first"), pattern(length, 29));
        expect(await write(cached)).toBe(await write({ compression, level }));
      }
    },
  );

  test("keeps nothing where compressing costs no more than looking", async () => {
    for (const [compression, level] of [
      ["none", undefined],
      ["lz4", 1],
      ["zstd", 5],
    ] as const) {
      const settings = { compression, ...(level !== undefined && { level }) };
      expect(await write({ ...settings, blockCache: cache })).toBe(await write(settings));
      expect(existsSync(cache)).toBe(false);
    }
  });

  test("keeps what is new alone", async () => {
    await write();
    const [first = ""] = kept();
    // Of the same size and time: contents count.
    const { mtime } = statSync(path.join(input, "whole"));
    const changed = pattern(BLOCK * 3, 11);
    changed.fill(1, BLOCK, BLOCK + 100);
    writeFileSync(path.join(input, "whole"), changed);
    utimesSync(path.join(input, "whole"), mtime, mtime);
    expect(await write()).toBe(await write({}));
    expect(kept()).toHaveLength(2);
    expect(bytesOf(kept().filter((file) => file !== first))).toBeLessThan(BLOCK);
    writeFileSync(path.join(input, "small-7"), "other");
    expect(await write()).toBe(await write({}));
    const all = kept();
    renameSync(path.join(input, "large"), path.join(input, "another-name"));
    expect(await write()).toBe(await write({}));
    expect(kept()).toEqual(all);
  });

  test("keeps blocks of other settings apart", async () => {
    await write();
    await write({ blockCache: cache, level: 16 });
    await write({ blockCache: cache, compression: "gzip" });
    await write({ blockCache: cache, blockSize: 32768 });
    const keys = kept().map((file) => path.basename(file).split("-")[0]);
    expect(new Set(keys).size).toBe(4);
  });

  test("may be made many times at once", async () => {
    const plain = await write({});
    const images = await Promise.all(Array.from({ length: 5 }, () => write()));
    expect(new Set(images)).toEqual(new Set([plain]));
    expect(await write()).toBe(plain);
    expect(readdirSync(cache).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("leaves nothing behind when it is not finished", async () => {
    writeFileSync(path.join(input, "zz-large"), slowNoise(BLOCK * 200));
    await expect(
      write({ blockCache: cache, level: 22, signal: AbortSignal.timeout(20) }),
    ).rejects.toThrow();
    expect(existsSync(cache) ? readdirSync(cache) : []).toEqual([]);
  });
});

describe("kept blocks", () => {
  const damages: Record<string, (file: string) => void> = {
    emptied: (file) => truncateSync(file),
    "cut in their blocks": (file) => truncateSync(file, 1000),
    "cut by a byte": (file) => truncateSync(file, statSync(file).size - 1),
    longer: (file) => writeFileSync(file, "x", { flag: "a" }),
    "text of somebody's": (file) => writeFileSync(file, "text\n".repeat(1000)),
    "all zeros": (file) => writeFileSync(file, Buffer.alloc(statSync(file).size)),
  };
  for (const [what, damage] of Object.entries(damages)) {
    test(`that are ${what} are removed and made again`, async () => {
      const plain = await write();
      const [file = ""] = kept();
      damage(file);
      expect(await write()).toBe(plain);
      expect(kept()).toHaveLength(1);
      expect(kept()).not.toContain(file);
      const all = kept();
      expect(await write()).toBe(plain);
      expect(kept()).toEqual(all);
    });
  }

  test("with any byte changed give the same image", async () => {
    const plain = await write();
    const [file = ""] = kept();
    const whole = readFileSync(file);
    for (let i = 0; i < 40; i++) {
      const bytes = Buffer.from(whole);
      const at = Math.floor((i * whole.length) / 40) + (i % 7);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (i % 8)), at);
      for (const other of kept()) truncateSync(other);
      writeFileSync(file, bytes);
      expect(await write()).toBe(plain);
    }
  });

  test("of other settings are not believed under this name", async () => {
    const plain = await write({});
    await write({ blockCache: cache, level: 22 });
    const [other = ""] = kept();
    await write();
    const [own = ""] = kept().filter((file) => file !== other);
    copyFileSync(other, own);
    expect(await write()).toBe(plain);
  });

  test("are gone when nobody used them for a month, and marked when they are", async () => {
    await write({ blockCache: cache, level: 16 });
    const [old = ""] = kept();
    const left = path.join(cache, ".bundle-0123456789abcdef.tmp"); // of a build that was killed
    writeFileSync(left, "half");
    await write();
    const [used = ""] = kept().filter((file) => ![old, left].includes(file));
    const month = Date.now() / 1000 - 31 * 24 * 3600;
    for (const file of [old, used]) utimesSync(file, month, month);
    utimesSync(left, Date.now() / 1000, Date.now() / 1000 - 25 * 3600);
    await write();
    expect(kept()).toEqual([used]);
    expect(Date.now() - statSync(used).mtimeMs).toBeLessThan(600_000);
  });

  test("in many files become fewer, and all are still found", async () => {
    const names = Array.from({ length: 30 }, (_, i) => `more-${i}`);
    for (const [i, name] of names.entries()) {
      writeFileSync(path.join(input, name), pattern(BLOCK, 101 + i));
      await write();
    }
    expect(kept().length).toBeLessThanOrEqual(25);
    const plain = await write({});
    expect(await write()).toBe(plain);
    const all = kept();
    expect(await write()).toBe(plain);
    expect(kept()).toEqual(all);
  });

  test("of a folder that others can change are neither used nor made", async () => {
    const plain = await write();
    const before = kept();
    for (const open of [cache, path.dirname(cache)]) {
      for (const bits of [0o777, ...(open === cache ? [0o1777] : [])]) {
        chmodSync(open, bits);
        for (const file of before) utimesSync(file, 0, 0);
        expect(await write()).toBe(plain);
        await write({ blockCache: cache, level: 16 });
        chmodSync(open, 0o755);
        expect(kept()).toEqual(before);
        expect(statSync(before[0] ?? "").mtimeMs).toBe(0);
      }
    }
  });

  test("are not kept where nothing can be written", async () => {
    const file = path.join(dir, "file");
    writeFileSync(file, "");
    const plain = await write({});
    expect(await write({ blockCache: path.join(file, "blocks") })).toBe(plain);
    expect(await write({ blockCache: file })).toBe(plain);
  });

  skipUnless("root")("take no more than a tenth of a small disk", async () => {
    mkdirSync(cache, { recursive: true });
    writeFileSync(path.join(input, "noise"), pattern(BLOCK * 40, 17));
    const plain = await write({});
    // So small that blocks do not fit, and so full that nothing does.
    for (const [size, most] of [
      ["300k", 31_000],
      ["4k", 410],
    ] as const) {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "none", cache]);
      try {
        for (let i = 0; i < 4; i++) {
          writeFileSync(path.join(input, "one"), pattern(BLOCK * 2 + i, 31 + i));
          expect(await write()).toBe(await write({}));
          expect(bytesOf(kept())).toBeLessThanOrEqual(most);
        }
      } finally {
        execFileSync("umount", [cache]);
      }
      writeFileSync(path.join(input, "one"), "x");
      expect(await write({})).toBe(plain);
    }
  });
});

test("what was used is young also where another build has removed a file meanwhile", () => {
  const blocks = new BlockCache(cache, resolveOptions({ compression: "xz" }, 1));
  const { key } = blocks.known();
  const names = ["small", "larger", "largest"].map((name) => path.join(cache, `${key}-${name}`));
  const longAgo = new Date(Date.now() - 24 * 3600 * 1000);
  for (const [i, name] of names.entries()) {
    writeFileSync(name, Buffer.alloc(10 * (i + 1)));
    utimesSync(name, longAgo, longAgo);
  }
  const [small = "", larger = "", largest = ""] = names;
  expect(blocks.open()?.kept.map(({ path: one }) => one)).toEqual(names);
  rmSync(small);
  blocks.publish(0, [true, true, false]);
  blocks.discard();
  expect(statSync(larger).mtimeMs).toBeGreaterThan(longAgo.getTime() + 1000);
  expect(Math.abs(statSync(largest).mtimeMs - longAgo.getTime())).toBeLessThan(1000);
});
