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

test.each([
  [[], /version is missing/],
  [[2], /version is 2/],
  [[1, 10, 0], /cut short/],
  [[1, 10, 0, 0x80], /cut short/],
  [[1, 0, 0, 1], /inode 0/],
  [[1, 1, 0, 1], /inode -1/],
  [[1, 2, 0, 0], /0 pages/],
  [[1, 2, 1, 1], /pages from -1/],
  [[1, ...Array(12).fill(0xff), 1], /too large/],
  [[1, ...encodeStartList([{ number: 2 ** 32, first: 0, count: 1 }]).slice(1)], /inode 4294967296/],
  [Array(START_LIMITS.bytes + 1).fill(1), /65537 bytes/],
  [[1, ...Array(3 * (START_LIMITS.runs + 1)).fill(2)], /16385 runs/],
])("%j is none", (bytes, problem) => {
  expect(decodeStartList(Uint8Array.from(bytes))).toMatch(problem);
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

test("a manifest keeps its list; one that cannot be read is as none", () => {
  const bytes = encodeManifest({ ...manifest, start: runs });
  expect(decodeManifest(bytes, "f")).toEqual({ ...manifest, start: runs });
  for (const start of [[{ number: 0, first: 0, count: 1 }], [{ number: 1, first: 0, count: 0 }]]) {
    expect(decodeManifest(encodeManifest({ ...manifest, start }), "f")).toEqual(manifest);
  }
});
