import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeEach, expect, test } from "vitest";
import { treeFromDirectory } from "../../../builder/input/add-directory.ts";
import { EarlyBlocks } from "../../../builder/squashfs/early-blocks.ts";
import type { WriteOptions } from "../../../builder/squashfs/squashfs-options.ts";
import { writeSquashfs } from "../../../builder/squashfs/writer.ts";
import { noise } from "../../support/image.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const BLOCK = 16384;
/** As many blocks wait as none is passed over. */
const options: WriteOptions = { blockSize: BLOCK, threads: 4 };
const pattern = (length: number, seed: number) =>
  Buffer.from(Array.from({ length }, (_, i) => ((i * seed) >> 4) % 251));

let dir: string;
let input: string;
let file: string;
const files: Record<string, Buffer> = {
  large: Buffer.concat([pattern(BLOCK * 3, 7), Buffer.alloc(BLOCK), pattern(777, 5)]),
  noise: noise(BLOCK * 2 + 5),
  small: pattern(900, 3),
};

beforeEach(() => {
  dir = temporaryDirectory();
  [input, file] = [path.join(dir, "input"), path.join(dir, "early")];
  mkdirSync(input);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(input, name), bytes);
});

async function write(more: WriteOptions = {}): Promise<string> {
  const image = path.join(temporaryDirectory(), "image");
  await writeSquashfs(await treeFromDirectory(input), { path: image }, { ...options, ...more });
  return readFileSync(image).toString("base64");
}

/** Hands out contents in pieces that are no blocks. */
function hand(early: EarlyBlocks | undefined, bytes: Buffer, piece = 10_000): void {
  const take = early?.file(bytes.length);
  for (let at = 0; at < bytes.length; at += piece) take?.(bytes.subarray(at, at + piece));
}

async function early(contents: readonly Buffer[], more: WriteOptions = {}, piece?: number) {
  const blocks = EarlyBlocks.start({ ...options, ...more }, () => file);
  for (const bytes of contents) hand(blocks, bytes, piece);
  return blocks?.finish();
}

/** Rows of a file of blocks: its trailer begins with their number. */
const count = () => Number(readFileSync(file).readBigUInt64LE(readFileSync(file).length - 24));

test.each([
  ["all", 5],
  ["small", 7],
  ["none", 8],
] as const)("blocks of files where %s ends are shared, and no holes", async (fragments, blocks) => {
  for (const piece of [10_000, BLOCK, 1 << 20]) {
    file = path.join(temporaryDirectory(), "early");
    expect(await early(Object.values(files), { fragments }, piece)).toBe(file);
    expect(count()).toBe(blocks);
    expect(await write({ fragments, earlyBlocks: file })).toBe(await write({ fragments }));
  }
});

test("what was made for nothing, or is damaged, changes no byte", async () => {
  const plain = await write();
  await early([pattern(BLOCK * 2, 99), files["large"] as Buffer]);
  expect(await write({ earlyBlocks: file })).toBe(plain);
  truncateSync(file, 100);
  expect(await write({ earlyBlocks: file })).toBe(plain);
  expect(existsSync(file)).toBe(false);
  expect(await write({ earlyBlocks: path.join(dir, "missing") })).toBe(plain);
});

test("they go into the cache, and what is there is not made again", async () => {
  const blockCache = path.join(dir, "cache/blocks");
  await early([files["large"] as Buffer]);
  const first = await write({ earlyBlocks: file, blockCache });
  file = path.join(dir, "second");
  expect(await early([files["large"] as Buffer], { blockCache })).toBeUndefined();
  expect(await write({ blockCache })).toBe(first);
  expect(first).toBe(await write());
});

test("none where they would be of no use", () => {
  const of = (more: WriteOptions) => EarlyBlocks.start({ ...options, ...more }, () => file);
  expect(of({ level: 1 })).toBeUndefined();
  expect(of({ compression: "none" })).toBeUndefined();
  expect(of({ store: ["large"] })).toBeUndefined();
});

test("what is discarded leaves nothing", async () => {
  const blocks = EarlyBlocks.start(options, () => file);
  hand(blocks, files["large"] as Buffer);
  await blocks?.discard();
  expect(existsSync(file)).toBe(false);
});

test("none where there is no folder for them", () => {
  const fails = () => {
    throw new Error("no folder");
  };
  expect(EarlyBlocks.start(options, fails)).toBeUndefined();
  expect(EarlyBlocks.start(options, () => path.join(dir, "missing", "early"))).toBeUndefined();
});

// What is read has to go there, too.
skipUnless("root")("they take no more than a tenth of a small disk", async () => {
  const small = path.join(dir, "small");
  mkdirSync(small);
  file = path.join(small, "early");
  const text = Buffer.from(noise(BLOCK * 6).toString("hex"));
  for (const [size, isMade] of [
    ["300k", true],
    ["100k", false],
  ] as const) {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "none", small]);
    try {
      expect(await early([text])).toBe(isMade ? file : undefined);
      expect(existsSync(file)).toBe(isMade);
      if (isMade) expect(statSync(file).size).toBeLessThanOrEqual(31_000);
    } finally {
      execFileSync("umount", [small]);
    }
  }
});
