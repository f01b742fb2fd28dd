import { open, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { writeBase64 } from "../../../builder/archive/base64.ts";
import { noise } from "../../support/image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function encoded(bytes: Buffer, shebang?: string): Promise<string[]> {
  const dir = temporaryDirectory();
  await writeFile(path.join(dir, "image"), bytes);
  const image = await open(path.join(dir, "image"));
  const output = await open(path.join(dir, "text"), "w");
  await writeBase64(image, bytes.length, output.fd, shebang);
  await image.close();
  await output.close();
  const text = await readFile(path.join(dir, "text"), "latin1");
  expect(text.endsWith("\n")).toBe(true);
  return text.slice(0, -1).split("\n");
}

test.each([1, 56, 57, 58, 4096, 57 * 16384, 57 * 16384 + 1])("%i bytes come back", async (size) => {
  const bytes = noise(size);
  const [comment, ...lines] = await encoded(bytes);
  expect(comment).toMatch(/^# made by bundle pack: /);
  expect(lines.map(({ length }) => length).slice(0, -1)).toEqual(
    Array(Math.ceil(size / 57) - 1).fill(76),
  );
  expect(Buffer.from(lines.join(""), "base64").equals(bytes)).toBe(true);
});

test("the interpreter's line is the very first", async () => {
  const [first, second] = await encoded(noise(10), "/bin/sh -x");
  expect([first, second?.[0]]).toEqual(["#!/bin/sh -x", "#"]);
});
