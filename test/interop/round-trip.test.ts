/** Our images through other readers: the kernel, unsquashfs, and the reader of the runtime. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { beforeAll, describe, expect } from "vitest";
import { treeFromDirectory } from "../../builder/input/add-directory.ts";
import { openImage } from "../../builder/squashfs/image-reader.ts";
import type { WriteOptions } from "../../builder/squashfs/squashfs-options.ts";
import { writeSquashfs } from "../../builder/squashfs/writer.ts";
import {
  freshName,
  makeSampleTree,
  type Snapshot,
  snapshot,
  withMounted,
} from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { isRoot } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const keep: WriteOptions = { mtime: "keep", owners: "keep" };

const variants: Record<string, WriteOptions> = {
  "zstd, 128 KiB": {},
  "zstd 1, 4 KiB": { level: 1, blockSize: 4096 },
  "zstd 22, 1 MiB": { level: 22, blockSize: 1 << 20 },
  "gzip, 128 KiB": { compression: "gzip" },
  "gzip 1, 4 KiB": { compression: "gzip", level: 1, blockSize: 4096 },
  "gzip, 1 MiB": { compression: "gzip", blockSize: 1 << 20 },
  "gzip, strategies": { compression: "gzip", variants: ["default", "filtered", "huffman-only"] },
  "gzip 1, run-length and fixed": {
    compression: "gzip",
    level: 1,
    variants: ["run-length", "fixed"],
  },
  "lz4, 128 KiB": { compression: "lz4" },
  "lz4 12, 1 MiB": { compression: "lz4", level: 12, blockSize: 1 << 20 },
  "lz4 2, 4 KiB": { compression: "lz4", level: 2, blockSize: 4096 },
  "xz, 128 KiB": { compression: "xz" },
  "xz 9, 1 MiB": { compression: "xz", level: 9, blockSize: 1 << 20 },
  "xz 0, 4 KiB": { compression: "xz", level: 0, blockSize: 4096 },
  "xz, filters": { compression: "xz", variants: ["x86", "arm"] },
  "xz, filters, 4 KiB": { compression: "xz", blockSize: 4096, variants: ["x86", "armthumb"] },
  "none, 128 KiB": { compression: "none" },
  "none, 4 KiB": { compression: "none", blockSize: 4096 },
};

let dir: string;
let source: string;
let expected: Record<string, Snapshot>;

beforeAll(() => {
  dir = temporaryDirectory();
  source = `${dir}/source`;
  makeSampleTree(source);
  expected = snapshot(source);
});

async function imageOf(options: WriteOptions): Promise<string> {
  const image = `${dir}/image`;
  const tree = await treeFromDirectory(source, { devices: true });
  await writeSquashfs(tree, { path: image }, { ...keep, ...options });
  return image;
}

describe.each(Object.entries(variants))("%s", (_, options) => {
  skipUnless(
    "root",
    "loop",
    "xattrs",
  )("the kernel shows the source", async () => {
    withMounted(await imageOf(options), (mounted) => {
      expect(snapshot(mounted)).toEqual(expected);
    });
  });

  // Without root unsquashfs leaves setuid bits and owners behind.
  skipUnless(
    "root",
    "unsquashfs",
    "xattrs",
  )("unsquashfs extracts the source", async () => {
    const image = await imageOf(options);
    const target = `${dir}/${freshName()}`;
    execFileSync("unsquashfs", ["-no-progress", "-d", target, image], {
      stdio: "ignore",
    });
    expect(snapshot(target)).toEqual(expected);
  });

  skipUnless("xattrs")("our reader extracts the source", async () => {
    const fd = openSync(await imageOf(options), "r");
    const image = openImage(fd, 0, "image");
    const target = `${dir}/${freshName()}`;
    mkdirSync(target, { mode: 0o700 });
    const all = { owners: isRoot, devices: isRoot, privilegedXattrs: isRoot };
    await image.extract(target, { setId: true, ...all });
    image.close();
    closeSync(fd);
    expect(snapshot(target)).toEqual(expected);
  });
});

skipUnless(
  "root",
  "loop",
  "xattrs",
)("by default owner and time are the same everywhere", async () => {
  const image = `${dir}/image`;
  const tree = await treeFromDirectory(source, { devices: true });
  const { mtime } = await writeSquashfs(
    tree,
    { path: image },
    { mtime: 1234567890, xattrs: false },
  );
  expect(mtime).toBe(1234567890);
  withMounted(image, (mounted) => {
    const plain = Object.entries(expected).map(([path, entry]) => {
      return [path, { ...entry, uid: 0, gid: 0, mtime: 1234567890, xattrs: {} }];
    });
    expect(snapshot(mounted)).toEqual(Object.fromEntries(plain));
  });
});

skipUnless(
  "root",
  "loop",
  "xattrs",
)("an image may start inside a file", async () => {
  const image = `${dir}/offset`;
  const fd = openSync(image, "w");
  const tree = await treeFromDirectory(source, { devices: true });
  await writeSquashfs(tree, { fd, offset: 12288 }, keep);
  closeSync(fd);
  withMounted(image, (mounted) => expect(snapshot(mounted)).toEqual(expected), 12288);
});
