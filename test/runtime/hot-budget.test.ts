/** `bundle build --hot-budget`: what a start reads first is stored uncompressed, and read as it was. */
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { printed } from "../support/bundle-of.ts";
import { writeFiles } from "../support/case.ts";
import { hashFile } from "../support/image.ts";
import { imageReaders } from "../support/image-readers.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, bundle, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const BLOCK = 16384;

/** Compresses well, and no two parts of it are the same. */
function lines(bytes: number, name: string): Buffer {
  const texts = Array.from({ length: bytes / 8 }, (_, i) => `${name} ${(i * 7919) % 100_003}\n`);
  return Buffer.from(texts.join("")).subarray(0, bytes);
}

const small = lines(900, "small");
const data = {
  // A hole, and an end.
  large: Buffer.concat([lines(BLOCK * 6, "large"), Buffer.alloc(BLOCK), lines(BLOCK + 777, "end")]),
  cold: lines(BLOCK * 3 + 500, "cold"),
  other: lines(1200, "other"),
  small,
  // It shares the contents of what is stored.
  twin: small,
};

let dir: string;

beforeAll(async () => {
  dir = userDirectory();
  const files = Object.entries(data).map(([name, bytes]) => [`app/data/${name}`, bytes] as const);
  writeFiles(dir, {
    "app/bin/app": `#!/bin/sh\ncd "\${0%/*}/../data" && exec sha256sum *\n`,
    ...Object.fromEntries(files),
    "start.profile": "version 1\ndata/large 17K-40K\ndata/small\ndata/large 97K-200K\n",
  });
  await sleep(2100); // What changed in the last moments is not recorded.
});

/** Builds in a folder with the app. */
async function built(output: string, ...more: string[]): Promise<Buffer> {
  const profile = ["--profile", "start.profile", "--block-size", `${BLOCK}`];
  printed(await bundle(["build", "app", "-o", output, ...profile, ...more], { cwd: dir }));
  return readFileSync(path.join(dir, output));
}

const holds = (file: Buffer, bytes: Buffer) => file.includes(bytes.subarray(0, 400));
const blocksOf = (file: Buffer, bytes: Buffer) =>
  Array.from({ length: Math.ceil(bytes.length / BLOCK) }, (_, i) => i).filter((i) =>
    holds(file, bytes.subarray(i * BLOCK, (i + 1) * BLOCK)),
  );

const inspected = async (file: string, ...more: string[]) =>
  printed(await bundle(["inspect", file, ...more], { cwd: dir }));

test("blocks are stored in the order of use, until one does not fit", async () => {
  const none = await built("none.run");
  expect(holds(none, data.large.subarray(BLOCK))).toBe(false);
  const some = await built("some.run", "--hot-budget", "34K");
  expect(blocksOf(some, data.large).filter((block) => block !== 6)).toEqual([1, 2]);
  expect([holds(some, small), holds(some, data.other), holds(some, data.cold)]).toEqual([
    true,
    false,
    false,
  ]);
  expect(await inspected("some.run")).toContain(
    "\nstored       32.9 KiB of what starts read, uncompressed\n",
  );
  const bytes = 2 * BLOCK + small.length;
  expect(JSON.parse(await inspected("some.run", "--json")).manifest.storedBytes).toBe(bytes);
  const all = await built("all.run", "--hot-budget", "1G");
  // The hole has no bytes; block 8 is the end.
  expect(blocksOf(all, data.large).filter((block) => block !== 6)).toEqual([1, 2, 7, 8]);
  expect(some.length).toBeLessThanOrEqual(none.length + 34 * 1024);
  expect(await inspected("none.run")).not.toContain("stored");
});

test("a build says how much it is", async () => {
  const given = ["--profile", "start.profile", "--block-size", "16K", "--hot-budget", "34k"];
  const text = printed(await bundle(["build", "app", "--explain", ...given], { cwd: dir }));
  expect(text).toContain(
    "\nof what it reads first 33 KiB are stored uncompressed (at most 34 KiB)\n",
  );
});

test("every way to start and to extract finds the same bytes", async () => {
  await built("plain.run");
  await built("hot.run", "--hot-budget", "40K");
  const dump = printed(await bundle(["dump", "plain.run"], { cwd: dir }));
  expect(printed(await bundle(["dump", "hot.run"], { cwd: dir }))).toBe(dump);
  const sums = Object.entries(data).map(
    ([name]) => `${hashFile(`${dir}/app/data/${name}`)}  ${name}\n`,
  );
  for (const FUSELAGE_MOUNT of ["fuse", "extract"]) {
    const env = { FUSELAGE_MOUNT };
    const started = await asUser(`${dir}/hot.run`, [], userDirectory(), { env });
    expect(printed(started), FUSELAGE_MOUNT).toBe(
      sums.toSorted((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join(""),
    );
  }
  const places = [temporaryDirectory(), temporaryDirectory()].map((one) => `${one}/out`);
  printed(await bundle(["extract", "hot.run", "-d", places[0] ?? ""], { cwd: dir }));
  printed(await run(`${dir}/hot.run`, ["--bundle-extract", places[1] ?? ""]));
  for (const place of places) {
    printed(await run("diff", ["-r", `${dir}/app`, place]));
  }
});

skipUnless(
  "root",
  "loop",
  "fuse",
  "unsquashfs",
  "squashfuse",
  "xattrs",
)("the kernel and others read it, whatever the codec", async () => {
  const images = temporaryDirectory();
  const codecs = ["zstd", "xz", "gzip", "lz4"];
  for (const codec of codecs) {
    const file = await built(`${codec}.run`, "--hot-budget", "40K", "--compression", codec);
    const { image } = JSON.parse(await inspected(`${codec}.run`, "--json"));
    writeFileSync(path.join(images, `${codec}.sfs`), file.subarray(image.offset));
  }
  for (const reader of imageReaders([])) {
    const shown = await reader.read(images, codecs);
    for (const codec of codecs) {
      for (const name of Object.keys(data)) {
        const found = shown[`${codec}/data/${name}`]?.content;
        expect(found, `${reader.name} ${codec} ${name}`).toBe(hashFile(`${dir}/app/data/${name}`));
      }
    }
  }
});

describe("the bytes are those of the input", () => {
  test.each(["", "--no-tail-packing", "--no-fragments", "--order=similarity", "--store=data/cold"])(
    "whatever threads and cache %s",
    async (option) => {
      const more = option === "" ? [] : [option];
      const budget = ["--hot-budget", "40K", ...more];
      const wanted = await built("wanted.run", ...budget, "--no-cache", "--threads", "1");
      const plain = await built("plain.run", ...more, "--no-cache");
      expect(plain.equals(wanted)).toBe(false);
      const home = temporaryDirectory();
      const env = { XDG_CACHE_HOME: home };
      const profile = ["--profile", "start.profile", "--block-size", `${BLOCK}`];
      const cached = async (...args: string[]) => {
        const words = ["build", "app", "-o", "out.run", ...profile, ...more, ...args];
        printed(await bundle(words, { cwd: dir, env }));
        return readFileSync(`${dir}/out.run`);
      };
      // One cache and one record for both: what one leaves the other finds.
      for (const threads of ["1", "2", "8"]) {
        expect((await cached("--hot-budget", "40K", "--threads", threads)).equals(wanted)).toBe(
          true,
        );
        expect((await cached("--threads", threads)).equals(plain)).toBe(true);
      }
      const kept = ["blocks", "files"].flatMap((name) => {
        const folder = path.join(home, "fuselage-bundle", name);
        return readdirSync(folder).map((file) => path.join(folder, file));
      });
      expect(kept.length).toBeGreaterThan(1);
      for (const damage of [damaged, cut]) {
        for (const file of kept) damage(file);
        expect((await cached("--hot-budget", "40K")).equals(wanted)).toBe(true);
        expect((await cached()).equals(plain)).toBe(true);
      }
    },
  );

  function damaged(file: string): void {
    const bytes = readFileSync(file);
    for (let i = 0; i < bytes.length; i += 97) bytes[i] = (bytes[i] ?? 0) ^ 0x55;
    writeFileSync(file, bytes);
  }

  function cut(file: string): void {
    writeFileSync(file, "");
    truncateSync(file, 100);
  }
});

test("a rebuild reads what it stores, and nothing else", async () => {
  const env = { XDG_CACHE_HOME: temporaryDirectory() };
  const args = ["build", "app", "-o", "out.run", "--profile", "start.profile", "--json"];
  const unread = async (...more: string[]) =>
    JSON.parse(printed(await bundle([...args, ...more], { cwd: dir, env }))).image.unread;
  const files = Object.keys(data).length + 1;
  const budget = ["--hot-budget", "34K", "--block-size", "16K"];
  for (let i = 0; i < 2; i++) {
    await unread(...budget);
    // The large file, and the small one.
    expect(await unread(...budget)).toBe(files - 2);
    // What was stored is compressed and kept now.
    await unread("--block-size", "16K");
    expect(await unread("--block-size", "16K")).toBe(files);
  }
});

test("a bundle that is built again keeps what it has, or gets what is asked for", async () => {
  const first = await built("first.run", "--hot-budget", "34K");
  const again = async (output: string, ...more: string[]) => {
    printed(await bundle(["build", "first.run", "-o", output, ...more], { cwd: dir }));
    return JSON.parse(await inspected(output, "--json")).manifest.storedBytes;
  };
  expect(await again("same.run")).toBe(2 * BLOCK + small.length);
  expect(readFileSync(`${dir}/same.run`).length).toBe(first.length);
  expect(await again("less.run", "--block-size", "16K", "--hot-budget", "17K")).toBe(BLOCK);
  expect(await again("none.run", "--compression", "zstd:3")).toBeUndefined();
});

describe("what it cannot be for", () => {
  test.each([
    [["--hot-budget", "many"], "E_OPTION_VALUE", /--hot-budget .*a size in bytes.*"many"/],
    [["--hot-budget", "0"], "E_OPTION_VALUE", /--hot-budget .*a size in bytes.* 0/],
    [["--hot-budget", "2000G"], "E_OPTION_VALUE", /--hot-budget/],
    [
      ["--hot-budget", "1M"],
      "E_OPTION_MISSING",
      /--profile is missing: a hot budget .*bundle profile/,
    ],
    [
      ["--hot-budget", "1M", "--profile", "start.profile", "--no-start-list"],
      "E_OPTION_CONFLICT",
      /--hot-budget, and --no-start-list/,
    ],
    [
      ["--hot-budget", "1M", "--profile", "start.profile", "--compression", "none"],
      "E_OPTION_CONFLICT",
      /--hot-budget, and --compression/,
    ],
  ] as const)("%j", async (args, code, message) => {
    const { status, stderr } = await bundle(["build", "app", "-o", "no.run", ...args], {
      cwd: dir,
    });
    expect(status).toBe(2);
    expect(stderr).toContain(`[${code}]`);
    expect(stderr).toMatch(message);
    expect(readdirSync(dir)).not.toContain("no.run");
  });

  test("a profile of another app is told, and nothing is stored", async () => {
    writeFileSync(`${dir}/other.profile`, "version 1\nusr/bin/other\n");
    const args = ["build", "app", "-o", "other.run", "--profile", "other.profile"];
    const { status, stderr } = await bundle([...args, "--hot-budget", "1M"], { cwd: dir });
    expect(stderr).toContain("W_PROFILE_OTHER_APP");
    expect(status).toBe(0);
    expect(await inspected("other.run")).not.toContain("uncompressed");
  });

  test("a configuration file says it in bytes", async () => {
    const config = { hotBudget: 34 * 1024, profile: "start.profile", blockSize: BLOCK };
    writeFileSync(`${dir}/bundle.config.json`, JSON.stringify(config));
    const args = ["build", "app", "-o", "config.run", "--config", "bundle.config.json"];
    printed(await bundle(args, { cwd: dir }));
    rmSync(`${dir}/bundle.config.json`);
    const wanted = await built("wanted.run", "--hot-budget", "34K");
    expect(readFileSync(`${dir}/config.run`).equals(wanted)).toBe(true);
  });
});

test("a Node app needs no profile", async () => {
  const app = path.join(temporaryDirectory(), "hello");
  mkdirSync(app);
  writeFiles(app, { "package.json": '{"main":"main.js"}', "main.js": 'console.log("hello");\n' });
  const output = `${app}.run`;
  const args = ["build", app, "-o", output, "--compression", "zstd:1", "--hot-budget", "8M"];
  printed(await bundle(args));
  const { storedBytes } = JSON.parse(await inspected(output, "--json")).manifest;
  expect(storedBytes).toBeGreaterThan(8 * 1024 ** 2 - 131072);
  expect(storedBytes).toBeLessThanOrEqual(8 * 1024 ** 2);
  const started = await asUser(output, [], userDirectory(), { env: { FUSELAGE_MOUNT: "fuse" } });
  expect(printed(started)).toBe("hello\n");
});
