import { open, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { checkComplete, locateImage } from "../../../builder/image/locate.ts";
import { makeElf } from "../../support/elf.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function locate(bytes: Buffer) {
  const file = path.join(temporaryDirectory(), "file");
  await writeFile(file, bytes);
  const handle = await open(file);
  try {
    return await locateImage(handle, file);
  } finally {
    await handle.close();
  }
}

const image = Buffer.concat([Buffer.from("hsqs"), Buffer.alloc(96)]);

function elfWith(what: Buffer): Buffer {
  const elf = makeElf();
  return Buffer.concat([elf, Buffer.alloc(4096 - elf.length), what]);
}

test("a plain image starts at byte 0", async () => {
  expect(await locate(image)).toEqual({ offset: 0, available: 100, elf: undefined });
});

test("an image after an ELF starts at the next page", async () => {
  expect(await locate(elfWith(image))).toMatchObject({ offset: 4096, available: 100 });
});

test("an image right behind an ELF, as appimagetool puts it, is found", async () => {
  const elf = makeElf();
  const found = await locate(Buffer.concat([elf, image]));
  expect(found).toMatchObject({ offset: elf.length, available: 100 });
});

test.each([
  ["an ELF alone", makeElf(), "E_IMAGE_MISSING"],
  ["an ELF with something else behind it", elfWith(Buffer.from("PK\x03\x04")), "E_IMAGE_MISSING"],
  ["a big-endian image", Buffer.from("sqsh rest"), "E_IMAGE_UNSUPPORTED"],
  ["an empty file", Buffer.alloc(0), "E_ELF_UNSUPPORTED"],
  ["a text", Buffer.from("#!/bin/sh\n"), "E_ELF_UNSUPPORTED"],
])("%s is refused", async (_, bytes, code) => {
  await expect(locate(bytes)).rejects.toMatchObject({ code });
});

/** A superblock that claims an image of 1000 bytes, with `rest` bytes behind it. */
async function complete(rest: number, major = 4) {
  const superblock = Buffer.alloc(96);
  superblock.write("hsqs");
  superblock.writeUInt16LE(major, 28);
  superblock.writeBigUInt64LE(1000n, 40);
  const file = path.join(temporaryDirectory(), "file");
  await writeFile(file, Buffer.concat([superblock, Buffer.alloc(Math.max(rest, 0))]));
  const handle = await open(file, "r+");
  try {
    if (rest < 0) await handle.truncate(96 + rest);
    await checkComplete(handle, file, 0);
  } finally {
    await handle.close();
  }
}

test("an image ends where its superblock says, or earlier than the file", async () => {
  await complete(904);
  await complete(5000);
  await complete(10, 3); // Of a version whose superblock is another one.
});

test.each([903, 0, -1])(
  "an image that ends %i bytes behind its superblock is cut",
  async (rest) => {
    await expect(complete(rest)).rejects.toMatchObject({ code: "E_IMAGE_TRUNCATED" });
  },
);
