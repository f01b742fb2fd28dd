import { createHash } from "node:crypto";
import { readdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { sha256OfFile, sha256OfUnchanged } from "../../../builder/host/digest.ts";
import { Learned } from "../../../builder/host/learned.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

let dir: string;
let file: string;
let learned: Learned;
const kept = () => readdirSync(dir).filter((name) => name === "learned").length;

beforeEach(() => {
  dir = temporaryDirectory();
  file = path.join(dir, "file");
  learned = new Learned(path.join(dir, "learned"), "code");
});

/** As if the file had been there for so long, ms. */
async function later<T>(milliseconds: number, act: () => Promise<T>): Promise<T> {
  const now = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => now + milliseconds);
  return act().finally(() => vi.restoreAllMocks());
}
const digest = () => later(10_000, () => sha256OfUnchanged(file, learned));

describe("the digest of a file", () => {
  test("is that of all its bytes, or of some", async () => {
    const bytes = Buffer.alloc((5 << 20) + 7, "abc");
    writeFileSync(file, bytes);
    const of = (part: Buffer) => createHash("sha256").update(part).digest();
    expect(await sha256OfFile(file)).toEqual(of(bytes));
    expect(await sha256OfFile(file, { end: 3 << 20 })).toEqual(of(bytes.subarray(0, 3 << 20)));
  });

  test("is remembered while the file is what it was", async () => {
    writeFileSync(file, "one");
    expect(await digest()).toBe(sha256("one"));
    // What is remembered is taken: it is found by the state alone.
    const get = vi.spyOn(learned, "value");
    expect(await digest()).toBe(sha256("one"));
    const from = get.mock.calls[0]?.[0] ?? [];
    expect(await learned.value(from, async () => "not known")).toBe(sha256("one"));
  });

  test("is another one for other bytes of the same size and time of change", async () => {
    const write = (at: string, text: string) => {
      writeFileSync(at, text);
      utimesSync(at, 1_000_000_000, 1_000_000_000);
    };
    write(file, "one");
    expect(await digest()).toBe(sha256("one"));
    await sleep(30);
    write(file, "two");
    expect(await digest()).toBe(sha256("two"));
    write(`${file}.other`, "six");
    renameSync(`${file}.other`, file);
    expect(await digest()).toBe(sha256("six"));
  });

  test("is not remembered of a file that was changed just now, nor by a clock that was put back", async () => {
    writeFileSync(file, "one");
    for (const age of [0, -3_600_000]) {
      expect(await later(age, () => sha256OfUnchanged(file, learned))).toBe(sha256("one"));
      expect(kept()).toBe(0);
    }
    await digest();
    expect(kept()).toBe(1);
  });

  test("is none of a file that changes while it is read", async () => {
    writeFileSync(file, "one");
    const value = learned.value.bind(learned);
    vi.spyOn(learned, "value").mockImplementation(async (from, learn) => {
      await sleep(30);
      writeFileSync(file, "two");
      return value(from, learn);
    });
    await expect(digest()).rejects.toThrow(`${file} has changed`);
    expect(kept()).toBe(0);
  });
});
