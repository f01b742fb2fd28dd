/**
 * Trees that look random, written by us and read by others: whatever a tree holds, every reader shows it.
 *
 * FUSELAGE_TREES says how many (20, which take about ten seconds), FUSELAGE_FIRST_TREE the number of the first; a tree
 * is made by its number alone. `npm run trees` tries 20,000 of them.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmdirSync, rmSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, vi } from "vitest";
import {
  type ImageEntry,
  type ImageReader,
  openImage,
} from "../../builder/squashfs/image-reader.ts";
import type { WriteOptions } from "../../builder/squashfs/squashfs-options.ts";
import { writeSquashfs } from "../../builder/squashfs/writer.ts";
import { freshName, type Snapshot, snapshot, withMounted } from "../support/image.ts";
import { missing, type Need, skipUnless } from "../support/needs.ts";
import { type Random, trials } from "../support/random.ts";
import { deviceNumber, randomTree, TYPES } from "../support/random-tree.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const COUNT = Number(process.env["FUSELAGE_TREES"] ?? 20);
const FIRST = Number(process.env["FUSELAGE_FIRST_TREE"] ?? 0);
/** Trees in one test. */
const BATCH = 5;
const needs: readonly Need[] = [
  ...["root", "loop", "fuse", "unsquashfs", "squashfuse", "xattrs"],
] as Need[];

const settings: readonly WriteOptions[] = [
  { compression: "zstd", level: 1 },
  { compression: "gzip", level: 1 },
  { compression: "lz4" },
  { compression: "xz", level: 0 },
  { compression: "none" },
];

let dir: string;

// Every tree is mounted twice and extracted: beside other work that takes its time.
vi.setConfig({ testTimeout: 600_000 });

beforeAll(() => {
  dir = temporaryDirectory();
});

type Shown = Record<string, Snapshot>;

const readers: Record<string, (image: string) => Shown | Promise<Shown>> = {
  kernel(image) {
    let shown: Shown = {};
    withMounted(image, (mounted) => {
      shown = snapshot(mounted);
    });
    return shown;
  },
  unsquashfs(image) {
    const target = path.join(dir, freshName());
    const { status, stderr } = spawnSync(
      "unsquashfs",
      ["-no-progress", "-processors", "1", "-d", target, image],
      { encoding: "utf8" },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const shown = snapshot(target);
    rmSync(target, { recursive: true });
    return shown;
  },
  // 0.1.105 numbers the names of one file apart, and takes user.a and trusted.a for one attribute.
  squashfuse(image) {
    const mounted = path.join(dir, freshName());
    mkdirSync(mounted);
    execFileSync("squashfuse", [image, mounted]);
    try {
      return snapshot(mounted);
    } finally {
      execFileSync("umount", [mounted]);
      rmdirSync(mounted);
    }
  },
  async ours(image) {
    const fd = openSync(image, "r");
    const reader = openImage(fd, 0, image);
    try {
      return await listed(reader);
    } finally {
      reader.close();
      closeSync(fd);
    }
  },
};

async function listed(reader: ImageReader): Promise<Shown> {
  const first = new Map<number, string>();
  const shown: Shown = {};
  for (const entry of await reader.list()) {
    if (!first.has(entry.inode)) first.set(entry.inode, entry.path);
    const { major = 0, minor = 0 } = entry.device ?? {};
    shown[entry.path] = {
      type: TYPES[entry.kind],
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      mtime: entry.mtime,
      size: entry.size,
      rdev: deviceNumber({ major, minor }),
      content: entry.target ?? (entry.kind === "file" ? await digestOf(reader, entry) : ""),
      links: first.get(entry.inode) as string,
      xattrs: Object.fromEntries(
        entry.xattrs.map(({ name, value }) => [name, `0x${Buffer.from(value).toString("hex")}`]),
      ),
    };
  }
  return shown;
}

async function digestOf(reader: ImageReader, entry: ImageEntry): Promise<string> {
  const bytes = Buffer.alloc(entry.size);
  expect(await reader.read(entry, 0, bytes)).toBe(entry.size);
  return createHash("sha256").update(bytes).digest("hex");
}

/** What a reader is known to show otherwise. */
const unlike: Partial<Record<string, readonly (keyof Snapshot)[]>> = {
  squashfuse: ["links", "xattrs"],
};

/** Every path that differs, with what differs of it; a whole tree would be thousands of lines. */
function differences(expected: Shown, shown: Shown, reader: string) {
  const found: Record<string, unknown> = {};
  for (const at of new Set([...Object.keys(expected), ...Object.keys(shown)])) {
    const [one, other] = [expected[at], shown[at]] as const;
    const keys = Object.keys(one ?? other ?? {}) as (keyof Snapshot)[];
    for (const key of keys.filter((one) => !unlike[reader]?.includes(one))) {
      const [wanted, got] = [
        JSON.stringify(sorted(one?.[key])),
        JSON.stringify(sorted(other?.[key])),
      ];
      if (wanted !== got) found[`${at}: ${key}`] = [wanted, got];
    }
  }
  return Object.fromEntries(Object.entries(found).slice(0, 5));
}

/** Attributes have no order. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

async function check(index: number, random: Random): Promise<void> {
  const blockSize = [4096, 4096, 4096, 8192, 131_072][random.below(5)] ?? 4096;
  const chosen = settings[random.below(settings.length)] ?? {};
  const { tree, expected } = randomTree(random, blockSize);
  const image = path.join(dir, `${index}.sfs`);
  const options: WriteOptions = { ...chosen, blockSize, mtime: "keep", owners: "keep" };
  await writeSquashfs(tree, { path: image }, options);
  const where = { tree: index, ...chosen, blockSize };
  for (const [reader, read] of Object.entries(readers)) {
    const found = differences(expected, await read(image), reader);
    expect({ ...where, reader, found }).toEqual({ ...where, reader, found: {} });
  }
  rmSync(image);
}

describe("the kernel, unsquashfs, squashfuse and our reader show what was written", () => {
  for (let first = FIRST; first < FIRST + COUNT; first += BATCH) {
    const count = Math.min(BATCH, FIRST + COUNT - first);
    skipUnless(...needs)(`trees ${first} to ${first + count - 1}`, async () => {
      expect(needs.map(missing)).toEqual(needs.map(() => undefined));
      for (const [index, random] of trials(count, first)) await check(index, random);
    });
  }
});
