import { execFileSync } from "node:child_process";
import { renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, expect, test } from "vitest";
import { readContents } from "../../../builder/archive/zip-contents.ts";
import type { Contents } from "../../../builder/tree/node.ts";
import { byteString } from "../../../builder/tree/path.ts";
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
  contents = { from: "disk", path: byteString(file), size, identity };
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
  await expect(all(contents)).rejects.toMatchObject({ code: "E_FILE_UNREADABLE" });
});

test("a file that changes while it is read is refused", async () => {
  const reading = async () => {
    for await (const _ of readContents(contents)) utimesSync(file, 1, 1);
  };
  await expect(reading()).rejects.toMatchObject({ code: "E_FILE_CHANGED" });
});
