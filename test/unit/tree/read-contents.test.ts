import { execFileSync } from "node:child_process";
import {
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeEach, expect, test } from "vitest";
import type { Contents } from "../../../builder/tree/node.ts";
import { byteString } from "../../../builder/tree/path.ts";
import { readContents } from "../../../builder/tree/read-contents.ts";
import { noise } from "../../support/image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let bytes: Buffer;
let file: string;
let contents: Contents;

function makeFile(size: number): void {
  bytes = noise(size);
  file = path.join(temporaryDirectory(), "file");
  writeFileSync(file, bytes);
  const { dev, ino, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
  const identity = { dev, ino, mtimeNs, ctimeNs };
  contents = { from: "disk", folder: byteString(file), name: "", size, identity };
}

beforeEach(() => makeFile(600_000));

async function all(from: Contents): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readContents(from)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("contents come from disk and from memory", async () => {
  expect((await all(contents)).equals(bytes)).toBe(true);
  expect((await all({ from: "memory", bytes })).equals(bytes)).toBe(true);
});

test.each<[string, () => void, string]>([
  ["is gone", () => rmSync(file), "it disappeared"],
  ["grew", () => writeFileSync(file, "x", { flag: "a" }), "its size changed"],
  ["was touched", () => utimesSync(file, 1, 1), "it was changed"],
  [
    "was replaced",
    () => {
      writeFileSync(`${file}.new`, bytes);
      renameSync(`${file}.new`, file);
    },
    "it was replaced",
  ],
  [
    "became a fifo, which nobody writes to",
    () => {
      rmSync(file);
      execFileSync("mkfifo", [file]);
    },
    "while it was read",
  ],
])("a file that %s is refused, large or small", async (_, change, what) => {
  const message = expect.stringContaining(what);
  for (const size of [600_000, 10]) {
    makeFile(size);
    change();
    const wanted = { code: "E_FILE_CHANGED", path: file, message };
    await expect(all(contents)).rejects.toMatchObject(wanted);
  }
});

test.each([0, 1, 65536, 65537])("%i bytes come as they are", async (size) => {
  makeFile(size);
  expect((await all(contents)).equals(bytes)).toBe(true);
});

test("a file that became a link is not followed", async () => {
  renameSync(file, `${file}.moved`);
  symlinkSync(`${file}.moved`, file);
  await expect(all(contents)).rejects.toMatchObject({ code: "E_FILE_CHANGED" });
});

test("a file that changes while it is read is refused", async () => {
  const reading = async () => {
    for await (const _ of readContents(contents)) utimesSync(file, 1, 1);
  };
  await expect(reading()).rejects.toMatchObject({ code: "E_FILE_CHANGED" });
});

/** Contents of `size` bytes with pieces of them, and what they are. */
function changed(size: number, places: readonly [offset: number, length: number][]) {
  const pieces = places.map(([offset, length], i) => ({
    offset,
    bytes: Buffer.alloc(length, i + 1),
  }));
  const whole = Buffer.alloc(size);
  bytes.copy(whole);
  for (const { offset, bytes: piece } of pieces) piece.copy(whole, offset);
  return {
    whole,
    contents: { ...contents, size, change: { from: bytes.length, pieces } } as Contents,
  };
}

test.each([
  ["nothing", 600_000, []],
  [
    "its first and last byte",
    600_000,
    [
      [0, 1],
      [599_999, 1],
    ],
  ],
  [
    "what lies across parts",
    600_000,
    [
      [262_100, 100],
      [300_000, 280_000],
    ],
  ],
  [
    "what is behind it",
    900_000,
    [
      [599_990, 20],
      [899_999, 1],
    ],
  ],
  ["that it is longer", 1_400_000, []],
  ["that it is shorter", 300_000, [[299_990, 10]]],
] as [string, number, [number, number][]][])(
  "contents that differ by %s are whole",
  async (_, size, places) => {
    const { whole, contents: from } = changed(size, places);
    expect((await all(from)).equals(whole)).toBe(true);
  },
);

test("contents that differ from a small file are whole, and the file is checked", async () => {
  makeFile(100);
  const { whole, contents: from } = changed(5000, [[90, 20]]);
  expect((await all(from)).equals(whole)).toBe(true);
  writeFileSync(file, "other");
  await expect(all(from)).rejects.toMatchObject({ code: "E_FILE_CHANGED" });
});

test("who stops before the end leaves no file open", async () => {
  const open = () =>
    readdirSync("/proc/self/fd")
      .map((fd) => linkOf(fd))
      .filter((to) => to === file);
  for (const from of [contents, changed(900_000, [[1, 1]]).contents]) {
    for await (const _ of readContents(from)) break;
    expect(open()).toEqual([]);
  }
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}
