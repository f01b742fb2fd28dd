/**
 * What the FUSE server is asked by who may use its mount in unusual ways, or by a kernel with other
 * pages than this one's: file handles, offsets of listings, long reads, requests that are none. Most
 * of it without a kernel, by requests.c; the rest on real mounts, by handle.c.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterEach, beforeAll, describe, expect } from "vitest";
import { pack } from "../../builder/api/pack.ts";
import { mksquashfs, runArguments } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { pack as packBundle, start } from "../support/packed.ts";
import { bundle, fuselage, isRoot, ordinaryUser, root, run } from "../support/process.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const MANY = 1500;
const LARGE = 5 << 20;

/** Directories of every size: one without an index, one with a short one, one with a long one. */
function makeTree(): string {
  const tree = path.join(temporaryDirectory(), "tree");
  mkdirSync(path.join(tree, "a/b/c"), { recursive: true });
  writeFileSync(path.join(tree, "a/text"), "text\n".repeat(5000));
  writeFileSync(path.join(tree, "a/b/c/small"), "small\n");
  writeFileSync(path.join(tree, "large"), Buffer.alloc(LARGE, "all of it "));
  symlinkSync("a/text", path.join(tree, "link"));
  execFileSync("sh", ["-c", "ln a/text a/b/hard; mkfifo a/fifo"], { cwd: tree });
  return tree;
}

function addMany(tree: string): void {
  for (const [dir, count] of [
    ["some", 100],
    ["many", MANY],
  ] as const) {
    mkdirSync(path.join(tree, dir));
    for (let i = 0; i < count; i++) writeFileSync(path.join(tree, dir, `name-${i}`), "");
  }
}

async function packed(tree: string, exclude: string[] = []): Promise<string> {
  const output = path.join(temporaryDirectory(), "image.sfs");
  await pack({ input: tree, output, devices: true, level: 1, exclude });
  return output;
}

let small: string;
let large: string;
/** Images by name, of a small tree and of one with large directories. */
const images: Record<string, { small: string; large: string }> = {};
let requests: string;

beforeAll(async () => {
  requests = (await buildSanitized()).requests;
  small = makeTree();
  large = makeTree();
  addMany(large);
  images["by the builder"] = { small: await packed(small), large: await packed(large) };
  const makers = {
    "by mksquashfs": ["-comp", "gzip"],
    "by mksquashfs, uncompressed": ["-noI", "-noD", "-noF", "-noX", "-b", "4K"],
  };
  for (const [name, options] of Object.entries(makers)) {
    images[name] = {
      small: await mksquashfs(small, ...options),
      large: await mksquashfs(large, ...options),
    };
  }
}, 600_000);

const imageNames = ["by the builder", "by mksquashfs", "by mksquashfs, uncompressed"];
const imageOf = (name: string) => images[name] as { small: string; large: string };
const withoutExports = () => mksquashfs(small, "-no-exports");

async function ask(image: string, ...args: (string | number)[]): Promise<string> {
  const outcome = await run(requests, [image, ...args.map(String)]);
  expect(outcome).toMatchObject({ status: 0, signal: null, stderr: "" });
  return outcome.stdout;
}

const check = skipUnless("gcc", "mksquashfs");

describe("offsets of a listing", () => {
  for (const name of imageNames) {
    check(`an image ${name}: every number gives a part of the listing, or its end`, async () => {
      const image = imageOf(name).large;
      expect(await ask(image, "offsets", "some")).toBe("102 entries, many offsets\n");
      expect(await ask(image, "offsets", "many")).toBe(`${MANY + 2} entries, many offsets\n`);
      expect(await ask(image, "offsets", "a/b/c")).toBe("3 entries, many offsets\n");
    });
  }
});

describe("handles", () => {
  for (const name of imageNames) {
    check(`an image ${name}: "." is answered for its inodes, and for no other place`, async () => {
      expect(await ask(imageOf(name).small, "handles")).toBe("all inodes\n");
    });

    check(`an image ${name}: ".." leads from every directory to the one it is in`, async () => {
      expect(await ask(imageOf(name).small, "parents")).toBe("4 directories, and others\n");
      expect(await ask(imageOf(name).large, "parents")).toBe("6 directories, and others\n");
    });
  }

  // The kernel's words for what it can: FUSE_EXPORT_SUPPORT, FUSE_MAX_PAGES, FUSE_INIT_EXT,
  // FUSE_NO_EXPORT_SUPPORT.
  const old = "400010";
  const recent = "4040400010";
  check("are claimed for an image that leads from numbers to inodes, and no other", async () => {
    for (const name of imageNames) {
      expect(await ask(imageOf(name).small, "init", 31, old)).toMatch(/^exports 1, no exports 0/);
      expect(await ask(imageOf(name).small, "init", 45, recent)).toMatch(
        /^exports 1, no exports 0/,
      );
    }
    const image = await withoutExports();
    expect(await ask(image, "init", 31, old)).toMatch(/^exports 0, no exports 0/);
    expect(await ask(image, "init", 45, recent)).toMatch(/^exports 0, no exports 1/);
    expect(await ask(image, "handles")).toBe("not all inodes\n");
  });
});

describe("reads", () => {
  check("are of as many pages as an answer holds, whatever a page is", async () => {
    const { small: image } = imageOf("by the builder");
    const sizes = [4096, 8192, 16384, 65536, 1 << 20, 1 << 21];
    const pages = (await ask(image, "pages", ...sizes)).trim().split("\n").map(Number);
    expect(pages).toEqual([256, 128, 64, 16, 1, 1]);
    expect(await ask(image, "init", 31, "400000")).toContain(", 256 pages");
  });

  check("are whole, or fail: a short answer would be the end of the file", async () => {
    for (const name of imageNames) {
      const image = imageOf(name).small;
      const reads: [number, number, string][] = [
        [0, 1 << 20, `${1 << 20} bytes\n`],
        [4095, 1 << 20, `${1 << 20} bytes\n`],
        [LARGE - 5000, 1 << 20, "5000 bytes\n"],
        [LARGE - 5000, 16 << 20, "5000 bytes\n"],
        [LARGE, 4096, "0 bytes\n"],
        [LARGE + 4096, 4096, "0 bytes\n"],
        [0, (1 << 20) + 1, "Input/output error\n"],
        [0, 16 << 20, "Input/output error\n"],
        [LARGE - (1 << 20) - 1, 2 ** 32 - 1, "Input/output error\n"],
      ];
      for (const [offset, size, expected] of reads) {
        const result = await ask(image, "read", "large", offset, size);
        expect({ offset, size, result }).toEqual({ offset, size, result: expected });
      }
    }
  });
});

check(
  "requests that are cut anywhere are answered once, and messages that are none end it",
  async () => {
    for (const name of imageNames) {
      expect(await ask(imageOf(name).small, "short")).toMatch(/^8127 requests$/m);
    }
  },
);

let handle: string;
const mounted: string[] = [];
beforeAll(() => {
  handle = path.join(temporaryDirectory(), "handle");
  const source = path.join(root, "test/support/handle.c");
  execFileSync("cc", ["-Wall", "-Wextra", "-Werror", "-o", handle, source]);
  chmodSync(handle, 0o755);
});

async function unmount(dir: string): Promise<void> {
  expect(await bundle(["umount", dir])).toMatchObject({ status: 0, stderr: "" });
  mounted.splice(mounted.indexOf(dir), 1);
}

afterEach(() => {
  for (const dir of mounted.splice(0)) execFileSync("umount", ["-l", dir]);
});

async function mountAt(dir: string, image: string): Promise<void> {
  const env = { FUSELAGE_MOUNT: "fuse" };
  const outcome = await run(fuselage, [`--mount=${image}`, dir], { env });
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  mounted.push(dir);
}

const optionsOf = (mountinfo: string, dir: string) =>
  mountinfo.split("\n").find((line) => line.includes(` ${dir} `)) ?? "";

describe("on a mount of root's", () => {
  const asRoot = skipUnless("root", "fuse", "gcc", "mksquashfs");
  const paths = ["", "/a", "/a/b/c", "/a/b/c/small", "/a/text", "/a/b/hard", "/link", "/a/fifo"];
  const take = async (dir: string) =>
    Promise.all(paths.map(async (name) => (await run(handle, ["take", dir + name])).stdout.trim()));
  const open = async (dir: string, digits: string) =>
    (await run(handle, ["open", dir, digits])).stdout.trim();

  /** What `handle open` must say of each, by what `stat` says now. */
  const facts = (dir: string) =>
    paths.map((name) => {
      const file = dir + name;
      const { ino, mode } = lstatSync(file);
      const isDirectory = (mode & 0o170000) === 0o040000;
      const where = `, at ${file}, parent ${statSync(path.dirname(file)).ino}`;
      return `inode ${ino}, mode ${mode.toString(8)}${isDirectory ? where : ""}`;
    });

  for (const name of imageNames) {
    asRoot(`of an image ${name}, handles hold when the kernel has forgotten all`, async () => {
      const dir = temporaryDirectory();
      await mountAt(dir, imageOf(name).small);
      const handles = await take(dir);
      const before = facts(dir);
      // Dentries and inodes that nobody uses; contents stay.
      writeFileSync("/proc/sys/vm/drop_caches", "2");
      for (const [index, digits] of handles.entries()) {
        const opened = await open(dir, digits);
        expect({ path: paths[index], opened }).toEqual({
          path: paths[index],
          opened: before[index],
        });
      }
    });

    asRoot(`of an image ${name}, handles hold in a later mount`, async () => {
      const dir = temporaryDirectory();
      await mountAt(dir, imageOf(name).small);
      const handles = await take(dir);
      const before = facts(dir);
      await unmount(dir);
      await mountAt(dir, imageOf(name).small);
      // The deepest ones first, of which the kernel has seen nothing.
      for (const name of ["/a/b/c/small", "/a/b/c", "/a/b/hard", "/a/fifo", "/link", "/a", ""]) {
        const index = paths.indexOf(name);
        const opened = await open(dir, handles[index] ?? "");
        expect({ name, opened }).toEqual({ name, opened: before[index] });
      }
    });
  }

  asRoot("handles that were made up lead nowhere, or to what is there", async () => {
    const dir = temporaryDirectory();
    await mountAt(dir, imageOf("by the builder").small);
    const there = execFileSync("find", [dir, "-printf", "inode %i, mode "], { encoding: "utf8" });
    const inodes = new Set(there.match(/inode \d+/g));
    const [, folder = "", , , file = ""] = await take(dir);
    for (const real of [folder, file]) {
      // Two words in front (length, type), then the node id: the high word, the low one.
      const id = Buffer.from(real.slice(16), "hex");
      let stale = 0;
      for (const change of [1, 2, 3, 7, 64, 0x10000, 0xfffff]) {
        for (const word of [0, 4]) {
          const other = Buffer.from(id);
          other.writeUInt32LE((other.readUInt32LE(word) ^ change) >>> 0, word);
          const opened = await open(dir, real.slice(0, 16) + other.toString("hex"));
          const [inode = ""] = opened.match(/^inode \d+/) ?? [];
          if (opened === "Stale file handle") stale++;
          else expect(inodes).toContain(inode);
        }
      }
      expect(stale).toBeGreaterThan(10);
    }
  });

  asRoot("an image without an export table has no handles that go stale", async () => {
    const dir = temporaryDirectory();
    await mountAt(dir, await withoutExports());
    const digits = await take(dir);
    expect(readFileSync(path.join(dir, "a/b/c/small"), "utf8")).toBe("small\n");
    for (const one of digits) {
      // Linux 6.10 is told so; before, a handle is given and holds while the kernel knows its inode.
      if (one === "Operation not supported") continue;
      await unmount(dir);
      await mountAt(dir, await withoutExports());
      expect(await open(dir, one)).toMatch(/^(inode|Stale file handle)/);
    }
  });

  asRoot("names that a user lists from any offset are those that are there", async () => {
    const dir = temporaryDirectory();
    await mountAt(dir, imageOf("by mksquashfs, uncompressed").large);
    for (const [name, count] of [
      ["some", 100],
      ["many", MANY],
      ["a", 3],
    ] as const) {
      const { stdout } = await run(handle, ["seek", path.join(dir, name)], ordinaryUser());
      expect({ name, stdout }).toEqual({ name, stdout: `${count + 2} names, 0 made up\n` });
    }
  });
});

describe("every mount says how long a read may be", () => {
  skipUnless(
    "root",
    "fuse",
    "mksquashfs",
  )("of root's, for the whole machine", async () => {
    const dir = temporaryDirectory();
    await mountAt(dir, imageOf("by the builder").small);
    expect(optionsOf(readFileSync("/proc/self/mountinfo", "utf8"), dir)).toContain(
      ",max_read=1048576",
    );
  });

  const inside = async (options: Record<string, string>, isRootsOwn: boolean) => {
    const file = await packBundle({ run: runArguments });
    const way = { strategy: "fuse", root: isRootsOwn } as const;
    const own = 'grep -F " $FUSELAGE_BUNDLE_DIR " /proc/self/mountinfo';
    const home = isRootsOwn ? temporaryDirectory() : userDirectory();
    const { stdout } = await start(way, file, ["sh", "-c", own], home, { env: options });
    expect(stdout).toContain(" fuse.fuselage ");
    return stdout;
  };

  skipUnless("fuse", "userns")("of a start, in its namespace", async () => {
    for (const isRootsOwn of isRoot ? [true, false] : [false]) {
      expect(await inside({}, isRootsOwn)).toContain(",max_read=1048576");
    }
  });

  skipUnless("fuse", "fusermount")("by fusermount3", async () => {
    const line = await inside({ FUSELAGE_MOUNT: "fusermount" }, false);
    expect(line).toContain(",max_read=1048576");
  });
});
