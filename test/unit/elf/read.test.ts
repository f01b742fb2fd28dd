import { open, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import {
  alignImage,
  MACHINE_HEAD,
  machineName,
  machineOf,
  readElf,
  readElfBytes,
} from "../../../builder/elf/read.ts";
import { runtimePath } from "../../../builder/host/paths.ts";
import { makeElf } from "../../support/elf.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function readFileAsElf(file: string) {
  const handle = await open(file);
  try {
    return await readElf(handle, file);
  } finally {
    await handle.close();
  }
}

async function readBytes(bytes: Buffer) {
  const file = path.join(temporaryDirectory(), "elf");
  await writeFile(file, bytes);
  return readFileAsElf(file);
}

describe("headers", () => {
  test.each([64, 32] as const)("of a %i-bit file are read", async (bits) => {
    const content = Buffer.from("some content");
    const bytes = makeElf({ bits, machine: 40, sections: [{ name: ".data", content }] });
    const elf = await readBytes(bytes);
    expect(elf).toMatchObject({ bits, machine: 40, endOffset: bytes.length });
    const data = elf.sections.find(({ name }) => name === ".data");
    expect(bytes.subarray(data?.offset, (data?.offset ?? 0) + (data?.size ?? 0))).toEqual(content);
  });

  test.each(["x86_64", "aarch64"] as const)("of the %s runtime are read", async (arch) => {
    const elf = await readFileAsElf(runtimePath(arch));
    expect(machineName(elf.machine)).toBe(arch);
    const reserved = elf.sections.filter(({ name }) => name !== ".fuselage");
    expect(elf.sections.length - reserved.length).toBe(1);
    const sizes = Object.fromEntries(reserved.map(({ name, size }) => [name, size]));
    expect(sizes).toMatchObject({
      ".upd_info": 1024,
      ".sha256_sig": 1024,
      ".sig_key": 8192,
      ".digest_md5": 16,
    });
  });

  test("of Node's own large binary are read", async () => {
    const elf = await readFileAsElf(process.execPath);
    expect(elf.sections.map(({ name }) => name)).toContain(".text");
  });

  test("without sections are read, as sstrip leaves them", async () => {
    const bytes = makeElf({ patch: (b) => b.fill(0, 40, 48).fill(0, 60, 64) });
    expect((await readBytes(bytes)).sections).toEqual([]);
  });

  test("tell an AppImage", async () => {
    const bytes = makeElf({ patch: (b) => b.write("AI\x02", 8, "latin1") });
    expect((await readBytes(bytes)).appImageType).toBe(2);
  });
});

describe("the end of the ELF", () => {
  test("is the end of the last segment when that is later than the tables", async () => {
    const bytes = Buffer.concat([makeElf({ load: { offset: 0, size: 9000 } }), Buffer.alloc(9000)]);
    expect((await readBytes(bytes)).endOffset).toBe(9000);
  });

  test("takes the number of sections from section 0 when the header has no room", async () => {
    const bytes = makeElf({
      patch(b) {
        const table = Number(b.readBigUInt64LE(40));
        b.writeBigUInt64LE(BigInt(b.readUInt16LE(60)), table + 32);
        b.writeUInt16LE(0, 60);
      },
    });
    expect((await readBytes(bytes)).endOffset).toBe(bytes.length);
  });

  test.each([
    [0, 0],
    [1, 4096],
    [4096, 4096],
    [4097, 8192],
    [2 ** 40 + 1, 2 ** 40 + 4096],
  ])("%i is aligned to %i", (offset, aligned) => {
    expect(alignImage(offset)).toBe(aligned);
  });
});

describe("a file that is wrong is refused:", () => {
  const cases: [string, string, (bytes: Buffer) => void][] = [
    ["no magic", "E_ELF_UNSUPPORTED", (b) => b.write("PK\x03\x04", 0, "latin1")],
    ["big endian", "E_ELF_UNSUPPORTED", (b) => b.writeUInt8(2, 5)],
    ["an unknown class", "E_ELF_MALFORMED", (b) => b.writeUInt8(7, 4)],
    ["a section table outside", "E_ELF_MALFORMED", (b) => b.writeBigUInt64LE(1n << 40n, 40)],
    ["an offset beyond 2^53", "E_ELF_MALFORMED", (b) => b.writeBigUInt64LE((1n << 64n) - 1n, 40)],
    ["tiny section headers", "E_ELF_MALFORMED", (b) => b.writeUInt16LE(8, 58)],
    ["tiny program headers", "E_ELF_MALFORMED", (b) => b.writeUInt16LE(8, 54)],
    ["names in a section that is not there", "E_ELF_MALFORMED", (b) => b.writeUInt16LE(99, 62)],
    ["a segment outside", "E_ELF_MALFORMED", (b) => b.writeBigUInt64LE(1n << 32n, 64 + 32)],
    ["a program table outside", "E_ELF_MALFORMED", (b) => b.writeBigUInt64LE(1n << 32n, 32)],
  ];
  test.each(cases)("%s", async (_, code, patch) => {
    await expect(readBytes(makeElf({ patch }))).rejects.toMatchObject({ code });
  });

  test("any prefix of a file", async () => {
    const bytes = makeElf({ sections: [{ name: ".data", content: Buffer.alloc(50) }] });
    for (let size = 0; size < bytes.length; size++) {
      const code = size < 4 ? "E_ELF_UNSUPPORTED" : "E_ELF_MALFORMED";
      await expect(readBytes(bytes.subarray(0, size))).rejects.toMatchObject({ code });
    }
  });

  test("a count of sections that would need gigabytes", async () => {
    const bytes = makeElf({
      patch(b) {
        b.writeBigUInt64LE(1n << 31n, Number(b.readBigUInt64LE(40)) + 32);
        b.writeUInt16LE(0, 60);
      },
    });
    await expect(readBytes(bytes)).rejects.toMatchObject({ code: "E_ELF_MALFORMED" });
  });
});

test("a machine is read of the first bytes alone", () => {
  for (const bits of [32, 64] as const) {
    const bytes = makeElf({ bits, machine: 183 });
    expect(machineOf(bytes)).toBe(183);
    expect(machineOf(bytes.subarray(0, MACHINE_HEAD))).toBe(183);
    expect(machineOf(bytes.subarray(0, MACHINE_HEAD - 1))).toBeUndefined();
    bytes.writeUInt8(2, 5);
    expect(machineOf(bytes)).toBeUndefined();
  }
  expect(machineOf(Buffer.from("#!/bin/sh\n".padEnd(100)))).toBeUndefined();
});

test("a file in memory is read as one on disk is", async () => {
  const file = runtimePath("x86_64");
  expect(await readElfBytes(await readFile(file), file)).toEqual(await readFileAsElf(file));
});
