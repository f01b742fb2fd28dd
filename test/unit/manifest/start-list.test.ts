import { expect, test } from "vitest";
import { decodeManifest } from "../../../builder/manifest/decode.ts";
import { encodeManifest } from "../../../builder/manifest/encode.ts";
import {
  decodeStartList,
  encodeStartList,
  START_LIMITS,
  startSize,
} from "../../../builder/manifest/start-list.ts";

const runs = [
  { number: 5, first: 0, count: 32 },
  { number: 5, first: 40, count: 1 },
  { number: 5, first: 3, count: 2 },
  { number: 2, first: 7, count: 128 },
  { number: 4294967295, first: 2 ** 40, count: 2 ** 30 },
];

test("a list is numbers as docs/format.md has them", () => {
  expect([...encodeStartList(runs.slice(0, 4))]).toEqual([
    1, 10, 0, 32, 0, 16, 1, 0, 75, 2, 5, 14, 128, 1,
  ]);
});

test("a list comes back as it was", () => {
  expect(decodeStartList(encodeStartList(runs))).toEqual(runs);
  expect(decodeStartList(encodeStartList([]))).toEqual([]);
  expect(startSize(runs.slice(0, 4))).toEqual({ files: 2, bytes: 163 * 4096 });
});

const good = [10, 0, 32];
const one = [{ number: 5, first: 0, count: 32 }];

test.each([
  ["inode 0", [9, 0, 1]],
  ["a negative inode", [11, 0, 1]],
  [
    "an inode that is too large",
    [...encodeStartList([{ number: 2 ** 33, first: 0, count: 1 }])].slice(1),
  ],
  ["no pages", [2, 0, 0]],
  ["pages before the first", [2, 1, 1]],
  ["pages behind the last that a file can have", [2, 0, ...Array(7).fill(0x80), 8]],
  ["a number of 70 bits", [2, 0, ...Array(9).fill(0x80), 2]],
  ["a number of 11 bytes", [2, 0, 0x81, ...Array(9).fill(0x80), 0]],
  ["a number without end", [2, 0, ...Array(4000).fill(0x80)]],
])("of a list what stands before %s counts", (_, bytes) => {
  expect(decodeStartList(Uint8Array.from([1, ...good, ...bytes]))).toEqual(one);
  expect(decodeStartList(Uint8Array.from([1, ...good, ...bytes, ...good]))).toEqual(one);
  expect(decodeStartList(Uint8Array.from([1, ...bytes, ...good]))).toEqual([]);
});

test.each([
  ["missing", [10, 0]],
  ["cut short", [10, 0, 0x80]],
])("a last run with a number that is %s does not count", (_, bytes) => {
  expect(decodeStartList(Uint8Array.from([1, ...good, ...bytes]))).toEqual(one);
});

test("of too many runs the first count", () => {
  const bytes = [1, ...Array(3 * (START_LIMITS.runs + 9)).fill(2)];
  expect(decodeStartList(Uint8Array.from(bytes))).toHaveLength(START_LIMITS.runs);
});

test.each([
  ["no bytes", []],
  ["another version", [2, ...good]],
  ["too many bytes", Array(START_LIMITS.bytes + 1).fill(1)],
])("%s are no list", (_, bytes) => {
  expect(decodeStartList(Uint8Array.from(bytes))).toBeUndefined();
});

const manifest = {
  name: "a",
  entry: "a",
  args: [],
  env: [],
  imageSize: 4096,
  noRuntimeOptions: false,
  version: "1",
  arch: "x86_64",
};

test("a manifest keeps its list; of one that is wrong what can be read", () => {
  const bytes = encodeManifest({ ...manifest, start: runs });
  expect(decodeManifest(bytes, "f")).toEqual({ ...manifest, start: runs });
  for (const wrong of [
    { number: 0, first: 0, count: 1 },
    { number: 1, first: 0, count: 0 },
  ]) {
    const start = [...one, wrong, ...one];
    expect(decodeManifest(encodeManifest({ ...manifest, start }), "f")).toEqual({
      ...manifest,
      start: one,
    });
  }
});
