/** What a profile, and what is known without one, make of a bundle. */
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { build, explain } from "../../../builder/api/build.ts";
import { withImage } from "../../../builder/api/inspect.ts";
import type { BuildOptions } from "../../../builder/config/build-options.ts";
import { bytesOf } from "../../../builder/tree/path.ts";
import { type Files, writeFiles } from "../../support/case.ts";
import { makeDynamicElf, makeProgram } from "../../support/dynamic-elf.ts";
import { noise } from "../../support/image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const PAGE = 4096;
const sizes = {
  "data/a": 300_000,
  "data/b": 500,
  "data/c": 200_000,
  "data/d": 700,
  "zz/last": 150_000,
};

let app: string;

beforeAll(() => {
  app = temporaryDirectory();
  const data = Object.entries(sizes).map(([name, size], i) => [name, noise(size, `${i}`)] as const);
  writeFiles(app, { "bin/app": "#!/bin/sh\nexit 0\n", ...Object.fromEntries(data) });
});

/** A profile outside of the app. */
function profile(...rules: string[]): string {
  const file = path.join(temporaryDirectory(), "p");
  writeFileSync(file, ["version 1", ...rules, ""].join("\n"), "latin1");
  return file;
}

async function built(options: Partial<BuildOptions> = {}) {
  const output = path.join(temporaryDirectory(), "out");
  const result = await build({ input: app, output, compression: "none", ...options });
  return { ...result, bytes: readFileSync(output) };
}

/** The start list by paths: `PATH FIRST COUNT`. */
function list(file: string): Promise<string[]> {
  return withImage(file, async ({ manifest }, image) => {
    const entries = await image.list();
    return (manifest?.start ?? []).map(({ number, first, count }) => {
      const names = entries.filter(({ inode }) => inode === number).map((entry) => entry.path);
      return `${names.join("=")} ${first} ${count}`;
    });
  });
}

/** Files in the order in which their contents stand in a bundle without compression. */
function order(
  bytes: Buffer,
  dir = app,
  names: readonly string[] = [...Object.keys(sizes), "bin/app"],
) {
  const place = (name: string) => {
    const at = bytes.indexOf(readFileSync(path.join(dir, name)).subarray(0, 400));
    expect(at, name).toBeGreaterThan(0);
    return at;
  };
  return names.toSorted((a, b) => place(a) - place(b));
}

test("what a profile names stands first, in its order, and in the start list", async () => {
  const given = profile("data/c 0-8K 100K-900K", "zz/last", "data/a 4K-8K", "data/c 8K-12K");
  const { bytes, manifest, warnings, output } = await built({ profile: given });
  expect(warnings).toEqual([]);
  expect(order(bytes, app, ["data/a", "data/c", "zz/last"])).toEqual([
    "data/c",
    "zz/last",
    "data/a",
  ]);
  const runs = ["data/c 0 2", "data/c 25 24", "zz/last 0 37", "data/a 1 1", "data/c 2 1"];
  expect(await list(output)).toEqual(runs);
  expect(manifest.start?.length).toBe(5);
  const { lines } = await explain({ input: app, profile: given });
  expect(lines).toContain(`start list: 260 KiB of 3 files in 5 runs, from ${given}`);
});

test("small files that a start reads share a fragment", async () => {
  const given = profile("data/d", "bin/app", "data/b");
  const { bytes } = await built({ profile: given });
  const small = order(bytes, app, ["bin/app", "data/b", "data/d"]);
  expect(small).toEqual(["data/d", "bin/app", "data/b"]);
  expect(bytes.indexOf(readFileSync(path.join(app, "data/b")))).toBe(
    bytes.indexOf(readFileSync(path.join(app, "data/d"))) + 700 + "#!/bin/sh\nexit 0\n".length,
  );
});

test("the bytes are those of the input, of which the profile is a part", async () => {
  const rules = ["data/c 0-8K", "data/a"];
  const one = await built({ profile: profile(...rules), threads: 1, compression: "zstd" });
  const same = await built({
    profile: profile("# told", ...rules),
    threads: 3,
    compression: "zstd",
  });
  const other = await built({ profile: profile(...rules.toReversed()), compression: "zstd" });
  expect(same.bytes.equals(one.bytes)).toBe(true);
  expect(other.bytes.equals(one.bytes)).toBe(false);
});

test("a profile in the folder that is packed is no part of it", async () => {
  const input = temporaryDirectory();
  writeFiles(input, { "bin/app": "#!/bin/sh\n", "p (1)": "version 1\nbin/app\n", "p 1": "" });
  const { output } = await built({ input, profile: path.join(input, "p (1)") });
  const names = await withImage(output, async (_, image) =>
    (await image.list()).map((entry) => entry.path),
  );
  expect(names).toEqual(["", "bin", "bin/app", "p 1"]);
  expect(await list(output)).toEqual(["bin/app 0 1"]);
});

test("names of any bytes, hard links and links are found", async () => {
  const input = temporaryDirectory();
  writeFiles(input, { "bin/app": "#!/bin/sh\n" });
  mkdirSync(path.join(input, "d"));
  const odd = Buffer.concat([Buffer.from(`${input}/d/`), bytesOf('a b\n"\xff\\')]);
  writeFileSync(odd, "odd");
  writeFileSync(path.join(input, "one"), "shared");
  linkSync(path.join(input, "one"), path.join(input, "two"));
  symlinkSync("../one", path.join(input, "d/three"));
  const given = profile('"d/a b\\n\\"\\xff\\\\"', "two", "d/three", "one");
  const { output, warnings } = await built({ input, profile: given });
  expect(warnings).toEqual([]);
  expect(await list(output)).toEqual(['d/a b\n"\xff\\ 0 1', "one=two 0 1"]);
});

test("paths that are gone are counted, a profile of another app is told", async () => {
  const some = profile("gone", "bin", "bin/app", "gone 0-4K", "gone/deep");
  const partly = await built({ profile: some });
  expect(partly.warnings).toEqual([
    {
      code: "W_PROFILE_PATHS",
      message: `${some}: 3 of its 4 paths are no files of the app (gone for one)`,
    },
  ]);
  expect(await list(partly.output)).toEqual(["bin/app 0 1"]);
  const other = profile("usr/bin/other", "usr/lib/other.so 0-4K");
  const nothing = await built({ profile: other });
  expect(nothing.warnings.map(({ code }) => code)).toEqual(["W_PROFILE_OTHER_APP"]);
  expect(nothing.manifest).not.toHaveProperty("start");
  await expect(built({ profile: other, strict: true })).rejects.toMatchObject({
    code: "E_WARNINGS",
  });
  const empty = await built({ profile: profile() });
  expect(empty.warnings).toEqual([]);
});

test("a profile that cannot be read ends the build with its line, and writes nothing", async () => {
  const invalid = "E_PROFILE_INVALID";
  for (const [file, code, found] of [
    [profile("a 0-"), invalid, /p:2: a range cannot be read/],
    [path.join(temporaryDirectory(), "gone"), "E_INPUT_MISSING", /gone: does not exist/],
    [app, "E_FILE_UNREADABLE", /cannot be read: .*directory/],
    ["/dev/zero", invalid, /zero: it is too large: expected at most 16777216 bytes, found more/],
    ["/dev/null", invalid, /null: it is no start profile/],
  ] as const) {
    await expect(built({ profile: file })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(found),
    });
  }
});

test("without a start list the profile is not even read", async () => {
  const { manifest, output } = await built({ profile: profile("a 0-"), startList: false });
  expect(manifest).not.toHaveProperty("start");
  expect(await list(output)).toEqual([]);
});

test("an image that is taken over keeps its list, or gets another", async () => {
  const first = await built({ profile: profile("data/c 0-8K", "bin/app", "data/a 4K-8K") });
  const kept = await built({ input: first.output, compression: undefined });
  expect(kept.kind).toBe("image");
  expect(kept.manifest.start).toEqual(first.manifest.start);
  const other = await built({
    input: first.output,
    compression: undefined,
    profile: profile("zz/last 0-4K"),
  });
  expect(await list(other.output)).toEqual(["zz/last 0 1"]);
  // Packed again, files have other numbers.
  const fewer = await built({ input: first.output, exclude: ["data/b"] });
  expect(fewer.manifest.start).not.toEqual(first.manifest.start);
  expect(await list(fewer.output)).toEqual(["data/c 0 2", "bin/app 0 1", "data/a 1 1"]);
});

test("an AppImage has a list too", async () => {
  const given = profile("data/c 0-8K", "bin/app");
  const { output, manifest } = await built({ profile: given, format: "appimage" });
  expect(manifest.appImageType).toBe(2);
  expect(await list(output)).toEqual(["data/c 0 2", "bin/app 0 1"]);
});

test("a list that would be too long is joined, and the build says so", async () => {
  const input = temporaryDirectory();
  const pages = 40_000;
  writeFiles(input, { "bin/app": "#!/bin/sh\n", large: "" });
  truncateSync(path.join(input, "large"), pages * PAGE);
  const ranges = Array.from({ length: pages / 2 }, (_, i) => `${i * 8}K-${i * 8 + 4}K`);
  const told: string[] = [];
  const given = profile(`large ${ranges.join(" ")}`);
  const { output } = await built({ input, profile: given, onReport: (line) => told.push(line) });
  expect(await list(output)).toEqual([`large 0 ${pages - 1}`]);
  expect(told).toEqual([
    `${given} is longer than a start list: ranges with at most 16 KiB between them are joined`,
  ]);
});

test("without a profile the entrypoint and its libraries stand first", async () => {
  const input = temporaryDirectory();
  const files: Files = {
    "aaa/data": noise(300, "1"),
    "lib/a.txt": noise(301, "2"),
    "srv/app": `#!/bin/sh\n${"#".repeat(500)}\n`,
  };
  writeFiles(input, files);
  const { bytes, manifest } = await built({ input, entry: "srv/app" });
  expect(order(bytes, input, Object.keys(files))).toEqual(["srv/app", "aaa/data", "lib/a.txt"]);
  expect(manifest).not.toHaveProperty("start");
});

test("of a compiled program the libraries that it names, and theirs, in this order", async () => {
  const input = temporaryDirectory();
  const filler = (i: number) => noise(400, `library ${i}`);
  const files: Files = {
    "aaa/data": noise(300, "data"),
    "bin/app": Buffer.concat([makeProgram({ needed: ["libz.so.1", "libhost.so"] }), filler(1)]),
    "lib/liba.so.2": Buffer.concat([makeDynamicElf({}), filler(2)]),
    "lib/libz.so.1.0": Buffer.concat([makeDynamicElf({ needed: ["liba.so.2"] }), filler(3)]),
    "lib/libz.so.1": { link: "libz.so.1.0" },
    "lib/other.so": noise(400, "other"),
  };
  writeFiles(input, files);
  chmodSync(path.join(input, "bin/app"), 0o755);
  const { bytes } = await built({ input, libc: "host" });
  const names = ["aaa/data", "bin/app", "lib/liba.so.2", "lib/libz.so.1.0", "lib/other.so"];
  const tail = (name: string) => bytes.indexOf(readFileSync(path.join(input, name)).subarray(-200));
  expect(names.toSorted((a, b) => tail(a) - tail(b))).toEqual([
    "bin/app",
    "lib/libz.so.1.0",
    "lib/liba.so.2",
    "aaa/data",
    "lib/other.so",
  ]);
});
