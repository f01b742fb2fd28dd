/**
 * Images whose tables say a lot with few bytes. Whoever lists or extracts one refuses it, at once and
 * in little memory; what is only odd is taken.
 */
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type ImageReader, openImage } from "../../builder/squashfs/image-reader.ts";
import { bundleOf } from "../support/bundle-of.ts";
import {
  type Crafted,
  type CraftedInode,
  craftImage,
  encodeAttribute,
  encodeListing,
  storedBlocks,
} from "../support/crafted-image.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const file = (number: number, links = 1): CraftedInode => ({ type: "file", number, links });
const directory = (number: number, listing?: string): CraftedInode => ({
  type: "directory",
  number,
  ...(listing !== undefined && { listing }),
});
const named = (count: number, inode: (i: number) => string, prefix = "") =>
  Array.from(
    { length: count },
    (_, i) => [`${prefix}${`${i}`.padStart(6, "0")}`, inode(i)] as const,
  );

/** N directories with one listing of M names, which are all of one file. */
function shared(n: number, m: number, links: number): Crafted {
  const inodes: Crafted["inodes"] = { f: file(1, links) };
  for (let i = 0; i < n; i++) inodes[`d${i}`] = directory(i + 2, "names");
  inodes["root"] = directory(n + 2, "top");
  const listings = { names: named(m, () => "f"), top: named(n, (i) => `d${i}`, "d") };
  return { inodes, listings, root: "root" };
}

/** Listings that begin inside of another one, at each of its headers. */
function suffixes(): Crafted {
  const n = 60;
  const crafted = shared(n, n * 256, 1_000_000);
  const positions = new Map([["f", { position: 0, inode: file(1) }]]);
  const header = encodeListing(
    named(256, () => "f"),
    positions,
  ).length;
  for (let i = 0; i < n; i++) {
    const at = i * header;
    const place = {
      block: Math.floor(at / 8192) * 8194,
      offset: at % 8192,
      size: (n - i) * header,
    };
    crafted.inodes[`d${i}`] = { ...directory(i + 2), place };
  }
  return crafted;
}

/**
 * Metadata blocks that begin at every other byte of a stretch, which reads as many headers of such
 * blocks: through each of them the same listing is seen.
 */
function overlapping(): Crafted {
  const n = 500;
  const crafted = shared(n, 300, 1_000_000);
  const positions = new Map<string, { position: number; inode: CraftedInode }>();
  let at = 0;
  for (const [name, inode] of Object.entries(crafted.inodes)) {
    positions.set(name, { position: at, inode });
    at += inode.type === "file" ? 56 : 40;
  }
  const names = encodeListing(crafted.listings["names"] ?? [], positions);
  const top = encodeListing(crafted.listings["top"] ?? [], positions);
  const room = 8191; // Of a stored block whose header is ff 9f.
  const headers = Buffer.alloc(2 * (n + 1), Buffer.from([0xff, 0x9f]));
  const table = Buffer.concat([headers, names, Buffer.alloc(room)]);
  const topStart = table.length;
  for (let i = 0; i < n; i++) {
    const place = { block: 2 * i, offset: headers.length - 2 * i - 2, size: names.length };
    crafted.inodes[`d${i}`] = { ...directory(i + 2), place };
  }
  crafted.inodes["root"] = {
    ...directory(n + 2),
    place: { block: topStart, offset: 0, size: top.length },
  };
  return { ...crafted, directoryTable: Buffer.concat([table, storedBlocks(top)]) };
}

/** Each directory has the next one twice: 2^n paths. */
function doubling(depth: number): Crafted {
  const inodes: Crafted["inodes"] = { f: file(1) };
  const listings: Record<string, [string, string][]> = { end: [["f", "f"]] };
  for (let i = 0; i <= depth; i++) {
    inodes[`d${i}`] = directory(i + 2, i === depth ? "end" : `l${i}`);
    if (i < depth) {
      listings[`l${i}`] = [
        ["a", `d${i + 1}`],
        ["b", `d${i + 1}`],
      ];
    }
  }
  return { inodes, listings, root: "d0" };
}

/** The same with two inodes a level, which share their listing. */
function doublingTwins(depth: number): Crafted {
  const inodes: Crafted["inodes"] = { f: file(1, 1_000_000) };
  const listings: Record<string, [string, string][]> = { end: [["f", "f"]] };
  for (let i = 0; i <= depth; i++) {
    for (const twin of [0, 1]) {
      inodes[`d${i}-${twin}`] = directory(2 * i + 2 + twin, i === depth ? "end" : `l${i}`);
    }
    if (i < depth) {
      listings[`l${i}`] = [
        ["a", `d${i + 1}-0`],
        ["b", `d${i + 1}-1`],
      ];
    }
  }
  return { inodes, listings, root: "d0-0" };
}

function ofOneDirectory(
  names: (readonly [string, string])[],
  inodes: Crafted["inodes"],
  more: Partial<Crafted> = {},
): Crafted {
  const number = 1 + Math.max(...Object.values(inodes).map((inode) => inode.number));
  const all = { ...inodes, root: directory(number, "top") };
  return { inodes: all, listings: { top: names }, root: "root", ...more };
}

const hostile: Record<string, () => Crafted> = {
  "700 directories that share 700 names": () => shared(700, 700, 1),
  "700 directories that share names of as many links": () => shared(700, 700, 490_000),
  "directories that share all but the first names": suffixes,
  "directories that share names through metadata blocks inside each other": overlapping,
  "a chain of directories of which each stands twice in the one before": () => doubling(40),
  "a chain of pairs of directories that share a listing": () => doublingTwins(40),
  "a file with more names than links": () =>
    ofOneDirectory(
      named(3, () => "f"),
      { f: file(1, 2) },
    ),
  "a file with a thousand names and no word of links": () =>
    ofOneDirectory(
      named(1000, () => "f"),
      { f: file(1) },
      { inodeCount: 5000 },
    ),
  "a symbolic link with more names than links": () =>
    ofOneDirectory(
      named(2, () => "l"),
      { l: { type: "symlink", number: 1, target: "x" } },
    ),
  "a directory that is its own child": () => ofOneDirectory([["a", "root"]], { f: file(1) }),
  "a directory that is the child of its child": () => ({
    inodes: { a: directory(1, "a"), b: directory(2, "b") },
    listings: { a: [["b", "b"]], b: [["a", "a"]] },
    root: "a",
  }),
  "two files of one number": () =>
    ofOneDirectory(
      named(2, (i) => `f${i}`),
      { f0: file(1), f1: file(1) },
    ),
  "a directory of the number of a file": () =>
    ofOneDirectory(
      [
        ["a", "f"],
        ["b", "d"],
      ],
      { f: file(1, 9), d: directory(1) },
    ),
};

async function written(crafted: Crafted): Promise<string> {
  const image = path.join(temporaryDirectory(), "image.sfs");
  writeFileSync(image, craftImage(crafted));
  return image;
}

async function withReader<T>(image: string, use: (reader: ImageReader) => Promise<T>): Promise<T> {
  const fd = openSync(image, "r");
  const reader = openImage(fd, 0, "image");
  try {
    return await use(reader);
  } finally {
    reader.close();
    closeSync(fd);
  }
}

/** Runs `bundle`, and looks at how much memory it takes. */
async function measured(args: string[], cwd: string) {
  const child = spawn(process.execPath, [bundleCommand, ...args], { cwd, timeout: 120_000 });
  let peak = 0;
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdout.resume();
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/^VmHWM:\s*(\d+)/m.exec(status)?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }, 10);
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  clearInterval(timer);
  return { status, stderr, peak };
}

/** KiB. Node alone takes about 60 000. */
const LITTLE = 250_000;

describe.each(Object.entries(hostile))("%s", (_, crafted) => {
  const corrupt = { code: "E_IMAGE_CORRUPT" };

  test("is refused by who lists it and by who extracts it", async () => {
    const image = await written(crafted());
    const dir = temporaryDirectory();
    await withReader(image, async (reader) => {
      await expect(reader.list()).rejects.toMatchObject(corrupt);
      await expect(reader.extract(dir)).rejects.toMatchObject(corrupt);
    });
    const made = readdirSync(dir, { recursive: true }).length;
    expect(made).toBeLessThan(20_000); // No more than its tables have bytes for.
  });

  test("is refused by --bundle-extract, which leaves nothing", async () => {
    const app = await bundleOf(await written(crafted()), { entry: "none" });
    const cwd = temporaryDirectory();
    const found = await run(app, ["--bundle-extract"], { cwd });
    expect(found).toMatchObject({ status: 125, stderr: expect.stringContaining("CORRUPT") });
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe.each([
  "700 directories that share 700 names",
  "700 directories that share names of as many links",
  "directories that share all but the first names",
  "directories that share names through metadata blocks inside each other",
])("%s", (title) => {
  test("takes little memory, whatever is done with it", async () => {
    const image = await written((hostile[title] as () => Crafted)());
    const cwd = path.dirname(image);
    for (const args of [
      ["build", image, "--entry", "d000000/000000", "-o", "out.run"],
      ["build", image, "--entry", "d000000/000000", "-o", "out.run", "--compression", "gzip"],
      ["inspect", image, "--list", "--json"],
      ["dump", image],
      ["extract", image],
    ]) {
      const { status, stderr, peak } = await measured(args, cwd);
      expect({ args, status, stderr }).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("[E_IMAGE_CORRUPT]"),
      });
      expect(peak).toBeLessThan(LITTLE);
      expect(readdirSync(cwd)).toEqual(["image.sfs"]);
    }
  });
});

describe("a list out of all proportion to its image", () => {
  /** As many names of one inode as there are. */
  const many = 20_000;

  test("because of one link with a long target", async () => {
    const target = "x".repeat(4000);
    const inodes = { l: { type: "symlink" as const, number: 1, links: many, target } };
    const image = await written(
      ofOneDirectory(
        named(many, () => "l"),
        inodes,
      ),
    );
    await withReader(image, (reader) =>
      expect(reader.list()).rejects.toMatchObject({ code: "E_IMAGE_CORRUPT" }),
    );
  });

  test("because of a long path to a directory of many names", async () => {
    const depth = 200;
    const inodes: Crafted["inodes"] = { f: file(1, many) };
    const listings: Record<string, (readonly [string, string])[]> = {};
    for (let i = 0; i <= depth; i++) inodes[`d${i}`] = directory(i + 2, `l${i}`);
    for (let i = 0; i < depth; i++) listings[`l${i}`] = [["x".repeat(200), `d${i + 1}`]];
    listings[`l${depth}`] = named(many, () => "f");
    const image = await written({ inodes, listings, root: "d0" });
    await withReader(image, (reader) =>
      expect(reader.list()).rejects.toMatchObject({ code: "E_IMAGE_CORRUPT" }),
    );
  });

  /** Sets of `each` attributes that all have one value of 60 KiB, and a file for each set. */
  function attributes(sets: number, each: number): Crafted {
    const value = Buffer.alloc(60_000, "v");
    const first = encodeAttribute("value", value);
    const others = Array.from({ length: each }, (_, i) =>
      // Behind the key, of which the head has 4 bytes.
      encodeAttribute(`a${i}`, { elsewhere: 4 + "value".length }),
    );
    const run = { ref: first.length, count: each };
    const values = Buffer.concat([first, ...others]);
    const inodes: Crafted["inodes"] = {};
    for (let i = 0; i < sets; i++) inodes[`f${i}`] = { ...file(i + 1), xattr: i };
    const xattrs = { values, sets: Array.from({ length: sets }, () => run) };
    return ofOneDirectory(
      named(sets, (i) => `f${i}`),
      inodes,
      { xattrs },
    );
  }

  test("because of attributes that all have one long value", async () => {
    const image = await written(attributes(1000, 20));
    await withReader(image, (reader) =>
      expect(reader.list()).rejects.toMatchObject({ code: "E_IMAGE_CORRUPT" }),
    );
    const { status, peak } = await measured(["dump", image], path.dirname(image));
    expect(status).toBe(1);
    expect(peak).toBeLessThan(LITTLE);
  });

  test("but a few of them are read", async () => {
    const image = await written(attributes(3, 20));
    const entries = await withReader(image, (reader) => reader.list());
    expect(entries.map(({ xattrs }) => xattrs.length)).toEqual([0, 20, 20, 20]);
    expect(entries[3]?.xattrs[19]?.value).toHaveLength(60_000);
  });
});

describe("what is only odd", () => {
  /** Several metadata blocks of each table, hard links, empty directories. */
  function odd(): Crafted {
    const inodes: Crafted["inodes"] = { f: file(1, 500), l: file(2, 0) };
    const listings: Record<string, (readonly [string, string])[]> = {};
    for (let i = 0; i < 500; i++) {
      inodes[`d${i}`] = directory(i + 3, `l${i}`);
      listings[`l${i}`] = [[`${"n".repeat(250)}${i % 10}`, "f"]];
    }
    for (let i = 0; i < 300; i++) inodes[`e${i}`] = directory(i + 503);
    inodes["root"] = directory(803, "top");
    listings["top"] = [
      ["a-link-count-of-zero", "l"],
      ...named(500, (i) => `d${i}`, "d"),
      ...named(300, (i) => `e${i}`, "e"),
    ];
    return { inodes, listings, root: "root" };
  }

  test("is listed and extracted", async () => {
    const image = await written(odd());
    const dir = temporaryDirectory();
    await withReader(image, async (reader) => {
      const entries = await reader.list();
      expect(entries).toHaveLength(1 + 1 + 500 + 500 + 300);
      expect(await reader.extract(dir)).toMatchObject({ entries: 1301 });
    });
    const first = readdirSync(path.join(dir, "d000000"));
    expect(first).toEqual([`${"n".repeat(250)}0`]);
  });

  skipUnless("unsquashfs")("as another reader lists it", async () => {
    const image = await written(odd());
    const lines = `${execFileSync("unsquashfs", ["-ls", "-d", "", image])}`
      .split("\n")
      .filter((line) => line.startsWith("/"));
    const entries = await withReader(image, (reader) => reader.list());
    expect(entries.slice(1).map((entry) => `/${entry.path}`)).toEqual(lines);
  });

  test("a directory that a user may not write to is filled and removed all the same", async () => {
    const image = await written(odd());
    const base = temporaryDirectory();
    mkdirSync(path.join(base, "tmp"));
    chmodSync(path.join(base, "tmp"), 0o777);
    const { status } = await measured(["extract", image, "-d", "tmp/out"], base);
    expect(status).toBe(0);
    expect(readdirSync(path.join(base, "tmp"))).toEqual(["out"]);
  });
});
