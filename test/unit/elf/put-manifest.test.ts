import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { assemble, imageOffsetFor } from "../../../builder/elf/put-manifest.ts";
import { runtimePath } from "../../../builder/host/paths.ts";
import { readRuntime } from "../../../builder/output/write-bundle.ts";
import { makeElf } from "../../support/elf.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const manifest = Buffer.from("a manifest of any content");

async function asRuntime(bytes: Buffer) {
  const file = path.join(temporaryDirectory(), "runtime");
  await writeFile(file, bytes);
  return readRuntime(file);
}

describe.each(["x86_64", "aarch64"] as const)("the %s runtime with a manifest", async (arch) => {
  const source = await readFile(runtimePath(arch));
  const runtime = await readRuntime(runtimePath(arch));
  const imageOffset = imageOffsetFor(runtime, manifest.length);
  const front = assemble(runtime, manifest, imageOffset);
  const assembled = await asRuntime(front);

  test("ends on a page boundary with its section header table", () => {
    const { offset, entryBytes, count } = assembled.elf.sectionTable;
    expect(imageOffset % 4096).toBe(0);
    expect(offset + entryBytes * count).toBe(imageOffset);
    expect(assembled.elf.endOffset).toBe(imageOffset);
    expect(front.length).toBe(imageOffset);
  });

  test("has the manifest as the content of its section", () => {
    const section = assembled.elf.sections.find(({ name }) => name === ".fuselage");
    const start = section?.offset ?? 0;
    expect(front.subarray(start, start + (section?.size ?? 0))).toEqual(manifest);
  });

  test("is otherwise the same program, byte for byte", () => {
    const { offset, entryBytes, count } = runtime.elf.sectionTable;
    const same = Buffer.from(front.subarray(0, offset));
    same.writeBigUInt64LE(BigInt(offset), 40);
    expect(same.equals(source.subarray(0, offset))).toBe(true);
    const others = (elf: typeof runtime.elf) =>
      elf.sections.filter(({ name }) => name !== ".fuselage");
    expect(others(assembled.elf)).toEqual(others(runtime.elf));
    expect(offset + entryBytes * count).toBe(source.length);
  });
});

test("what follows a section header table that is not last is kept", async () => {
  const content = Buffer.alloc(16);
  const elf = makeElf({ sections: [{ name: ".fuselage", content }] });
  const runtime = await asRuntime(Buffer.concat([elf, Buffer.from("tail")]));
  const front = assemble(runtime, manifest, imageOffsetFor(runtime, manifest.length));
  expect(front.subarray(elf.length, elf.length + 4).toString()).toBe("tail");
});

test("the space reserved for a manifest holds every smaller one", async () => {
  const runtime = await readRuntime(runtimePath("x86_64"));
  for (let size = 0; size < 9000; size += 371) {
    const offset = imageOffsetFor(runtime, size);
    const front = assemble(runtime, Buffer.alloc(size, 1), offset);
    const smaller = assemble(runtime, Buffer.alloc(Math.max(0, size - 15), 1), offset);
    expect([front.length, smaller.length]).toEqual([offset, offset]);
  }
});

test("an ELF without a section for the manifest is refused", async () => {
  const runtime = await asRuntime(makeElf());
  const code = "E_ELF_MALFORMED";
  expect(() => assemble(runtime, manifest, 4096)).toThrow(expect.objectContaining({ code }));
});

test("a 32-bit ELF is refused", async () => {
  const runtime = await asRuntime(makeElf({ bits: 32 }));
  const code = "E_ELF_UNSUPPORTED";
  expect(() => assemble(runtime, manifest, 4096)).toThrow(expect.objectContaining({ code }));
});
