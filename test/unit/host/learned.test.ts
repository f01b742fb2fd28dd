import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Learned, learnedBy } from "../../../builder/host/learned.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let dir: string;
let asked: number;
const kept = () => (existsSync(dir) ? readdirSync(dir).map((name) => path.join(dir, name)) : []);

beforeEach(() => {
  dir = path.join(temporaryDirectory(), "a/learned");
  asked = 0;
});

afterEach(() => {
  vi.unstubAllEnvs();
});

/** What is learned of `from`, which is `bytes`. */
async function get(from: unknown[], bytes: Buffer = Buffer.from(JSON.stringify(from)), code = "1") {
  const found = await new Learned(dir, code).get(from, async () => {
    asked++;
    return bytes;
  });
  expect(found.equals(bytes)).toBe(true);
}

describe("what was learned", () => {
  test("goes when it is old, also where another file of the folder has just gone", async () => {
    await get(["old"]);
    const [old = ""] = kept();
    const longAgo = new Date(Date.now() - 31 * 24 * 3600 * 1000);
    utimesSync(old, longAgo, longAgo);
    // Its name is there, and no file.
    symlinkSync("gone", path.join(dir, "0-gone"));
    await get(["new"]);
    expect(existsSync(old)).toBe(false);
    expect(kept()).toHaveLength(2);
  });

  test("is not learned again: of the same things, by the same code", async () => {
    for (const from of [
      ["a", 1],
      ["a", "1"],
      ["a", [1]],
      ["a", { b: undefined }],
      ["a", null],
    ]) {
      await get(from);
      await get(from);
    }
    expect(asked).toBe(5);
    await get(["a", 1], Buffer.from("of other code"), "2");
    expect(asked).toBe(6);
    expect(kept()).toHaveLength(6);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
  });

  test("may be anything that JSON can say", async () => {
    for (const value of ["ö", 1, false, null, [], { a: [1, "b"] }]) {
      const learned = new Learned(dir, "1");
      const ask = () => learned.value([value], async () => ++asked && value);
      expect([await ask(), await ask()]).toEqual([value, value]);
    }
    expect(asked).toBe(6);
  });

  test("is nothing when it failed", async () => {
    const failing = () => new Learned(dir, "1").get(["x"], () => Promise.reject(new Error("no")));
    await expect(failing()).rejects.toThrow("no");
    await expect(failing()).rejects.toThrow("no");
    expect(kept()).toEqual([]);
  });

  const damages: Record<string, (file: string) => void> = {
    emptied: (file) => truncateSync(file),
    "cut short": (file) => truncateSync(file, statSync(file).size - 1),
    longer: (file) => writeFileSync(file, "x", { flag: "a" }),
    "of another": (file) => copyFileSync(kept().find((one) => one !== file) ?? "", file),
    "changed by a bit": (file) => {
      const bytes = readFileSync(file);
      bytes.writeUInt8(bytes.readUInt8(3) ^ 1, 3);
      writeFileSync(file, bytes);
    },
  };
  for (const [what, damage] of Object.entries(damages)) {
    test(`is learned again when it is ${what}`, async () => {
      await get(["first"]);
      const [file = ""] = kept();
      await get(["second"]);
      damage(file);
      await get(["first"]);
      await get(["first"]);
      expect(asked).toBe(3);
    });
  }

  test("is neither believed nor kept where others can write", async () => {
    await get(["a"]);
    for (const bits of [0o777, 0o1777]) {
      chmodSync(dir, bits);
      await get(["a"]);
      await get(["b"]);
      chmodSync(dir, 0o700);
      expect(kept()).toHaveLength(1);
    }
    expect(asked).toBe(5);
  });

  test("is learned each time where nothing can be kept", async () => {
    const file = path.join(temporaryDirectory(), "file");
    writeFileSync(file, "");
    for (const place of [path.join(file, "learned"), file, undefined]) {
      const learned = new Learned(place, "1");
      for (const answer of ["one", "two"]) {
        expect((await learned.get(["a"], async () => Buffer.from(answer))).toString()).toBe(answer);
      }
    }
  });

  test("goes when it is old, or when there is too much: what was used last stays", async () => {
    await get(["old"]);
    const [old = ""] = kept();
    utimesSync(old, 0, Date.now() / 1000 - 31 * 24 * 3600);
    const large = (byte: number) => Buffer.alloc(15 << 20, byte);
    for (const byte of [1, 2, 3, 4]) {
      await get([byte], large(byte));
      // Seconds apart, the first one unused for longest.
      const [file = ""] = kept().filter((one) => readFileSync(one)[0] === byte);
      utimesSync(file, 0, Date.now() / 1000 - 100 + byte);
    }
    expect(existsSync(old)).toBe(false);
    await get([1], large(1)); // Used: now the second is next.
    asked = 0;
    await get([5], large(5));
    expect(kept().map((file) => readFileSync(file)[0])).not.toContain(2);
    expect(kept()).toHaveLength(4);
    await get([1], large(1));
    expect(asked).toBe(1);
  });

  test("is not kept when it is one that is too large", async () => {
    await get(["a"], Buffer.alloc((16 << 20) + 1));
    expect(kept()).toEqual([]);
  });

  test("of a process that was killed goes with what is old", async () => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const left = path.join(dir, ".bundle-0123456789abcdef.tmp");
    writeFileSync(left, "half");
    utimesSync(left, 0, Date.now() / 1000 - 31 * 24 * 3600);
    await get(["a"]);
    expect(existsSync(left)).toBe(false);
  });
});

test("only code whose name says what is in it keeps what it learns", async () => {
  const cache = path.dirname(dir);
  vi.stubEnv("XDG_CACHE_HOME", cache);
  const at = path.join(cache, "fuselage-bundle/learned");
  for (const [url, keeps] of [
    ["file:///x/dist/chunks/chunk-AB12CD34.js", true],
    ["file:///x/dist/cli/main.js", false],
    ["file:///x/dist/chunks/chunk-AB12.js", false],
    ["file:///x/builder/host/learned.ts", false],
  ] as const) {
    const before = existsSync(at) ? readdirSync(at).length : 0;
    await learnedBy(url).get([url], async () => Buffer.from("x"));
    expect((existsSync(at) ? readdirSync(at).length : 0) - before).toBe(keeps ? 1 : 0);
  }
});
