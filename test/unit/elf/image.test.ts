import { open, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { locateImage } from "../../../builder/elf/image.ts";
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

test.each([
  ["an ELF alone", makeElf(), "E_IMAGE_MISSING"],
  ["an ELF with something else behind it", elfWith(Buffer.from("PK\x03\x04")), "E_IMAGE_MISSING"],
  ["a big-endian image", Buffer.from("sqsh rest"), "E_IMAGE_UNSUPPORTED"],
  ["an empty file", Buffer.alloc(0), "E_ELF_UNSUPPORTED"],
  ["a text", Buffer.from("#!/bin/sh\n"), "E_ELF_UNSUPPORTED"],
])("%s is refused", async (_, bytes, code) => {
  await expect(locate(bytes)).rejects.toMatchObject({ code });
});
