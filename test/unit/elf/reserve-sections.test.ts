import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { reserveSections } from "../../../builder/elf/reserve-sections.ts";
import { appimageFormat } from "../../../builder/generated/spec.ts";
import { frontPath, runtimePath } from "../../../builder/host/paths.ts";
import { readRuntime } from "../../../builder/output/write-bundle.ts";
import { makeElf } from "../../support/elf.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const { reserved } = appimageFormat;

async function asRuntime(bytes: Buffer) {
  const file = path.join(temporaryDirectory(), "runtime");
  await writeFile(file, bytes);
  return readRuntime(file);
}

describe.each(["x86_64", "aarch64", "riscv64"] as const)("the %s program", async (arch) => {
  const source = await readFile(frontPath(arch));
  const runtime = await readRuntime(frontPath(arch));
  const changed = reserveSections(runtime, reserved);

  test("has none of the sections by itself", () => {
    const names = runtime.elf.sections.map(({ name }) => name);
    for (const { name } of reserved) expect(names).not.toContain(name);
  });

  test("has them all afterwards, of zeros, and is as it says", async () => {
    const { elf } = await asRuntime(changed.bytes);
    expect(elf).toEqual(changed.elf);
    for (const { name, bytes } of reserved) {
      const section = elf.sections.find((one) => one.name === name);
      expect(section).toMatchObject({ type: 1, size: bytes });
      const at = section?.offset ?? 0;
      expect(changed.bytes.subarray(at, at + bytes)).toEqual(Buffer.alloc(bytes));
    }
    const { offset, entryBytes, count } = elf.sectionTable;
    expect(offset + entryBytes * count).toBe(changed.bytes.length);
  });

  test("is otherwise the same, byte for byte", () => {
    const before = Buffer.from(source.subarray(0, runtime.elf.sectionTable.offset));
    // e_shoff and e_shnum
    for (const [start, end] of [
      [40, 48],
      [60, 62],
    ] as const) {
      changed.bytes.copy(before, start, start, end);
    }
    expect(changed.bytes.subarray(0, before.length).equals(before)).toBe(true);
    const kept = runtime.elf.sections.filter(({ name }) => name !== ".shstrtab");
    expect(changed.elf.sections).toEqual(expect.arrayContaining(kept));
  });

  test("is handed back as it is when it has them", async () => {
    expect(reserveSections(changed, reserved)).toBe(changed);
    const runner = await readRuntime(runtimePath(arch));
    expect(reserveSections(runner, reserved)).toBe(runner);
  });
});

test("what follows a section header table that is not last is kept", async () => {
  const elf = makeElf({ sections: [{ name: ".fuselage", content: Buffer.alloc(16) }] });
  const runtime = await asRuntime(Buffer.concat([elf, Buffer.from("tail")]));
  const { bytes } = reserveSections(runtime, reserved);
  expect(bytes.subarray(elf.length, elf.length + 4).toString()).toBe("tail");
});

test("of sections that are there only the others are added", async () => {
  const content = Buffer.from("an update");
  const runtime = await asRuntime(makeElf({ sections: [{ name: ".upd_info", content }] }));
  const { elf, bytes } = reserveSections(runtime, reserved);
  const all = elf.sections.filter(({ name }) => name === ".upd_info");
  expect(all).toHaveLength(1);
  const at = all[0]?.offset ?? 0;
  expect(bytes.subarray(at, at + content.length)).toEqual(content);
  expect(elf.sections.some(({ name }) => name === ".sig_key")).toBe(true);
});
