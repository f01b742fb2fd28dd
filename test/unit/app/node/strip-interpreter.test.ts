import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { stripElf } from "../../../../builder/app/node/strip-interpreter.ts";
import { makeElf } from "../../../support/elf.ts";
import { skipUnless } from "../../../support/needs.ts";
import { root, run } from "../../../support/process.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

/** Names and contents of the loaded sections, and the program headers: what a process is made of. */
function loaded(bytes: Buffer) {
  const table = Number(bytes.readBigUInt64LE(40));
  const section = (i: number) => bytes.subarray(table + i * 64, table + i * 64 + 64);
  const names = section(bytes.readUInt16LE(62));
  const text = Number(names.readBigUInt64LE(24));
  const found: Record<string, string> = {};
  for (let i = 0; i < bytes.readUInt16LE(60); i++) {
    const header = section(i);
    if ((header.readBigUInt64LE(8) & 2n) === 0n) continue;
    const start = text + header.readUInt32LE(0);
    const name = bytes.toString("latin1", start, bytes.indexOf(0, start));
    const [offset, size] = [24, 32].map((at) => Number(header.readBigUInt64LE(at)));
    const held =
      header.readUInt32LE(4) === 8
        ? Buffer.alloc(0)
        : bytes.subarray(offset, Number(offset) + Number(size));
    found[name] = `${i} ${header.subarray(4, 40).toString("hex")} ${held.toString("base64")}`;
  }
  const programs = Number(bytes.readBigUInt64LE(32));
  const size = bytes.readUInt16LE(54) * bytes.readUInt16LE(56);
  return { found, programs: bytes.subarray(programs, programs + size).toString("hex") };
}

describe("stripElf", () => {
  skipUnless("gcc", "strip")("takes off what strip takes off, and the program runs", async () => {
    const dir = temporaryDirectory();
    const [source, program, own, other] = ["a.c", "a", "own", "other"].map((name) =>
      path.join(dir, name),
    ) as [string, string, string, string];
    writeFileSync(source, '#include <stdio.h>\nint main(void) { puts("runs"); }\n');
    execFileSync("gcc", ["-g", "-O0", source, "-o", program]);
    execFileSync("strip", ["-o", other, program]);
    const before = readFileSync(program);
    const bytes = await stripElf(before, program);
    writeFileSync(own, bytes, { mode: 0o755 });
    expect(await run(own, [])).toMatchObject({ stdout: "runs\n", status: 0 });
    expect(loaded(bytes)).toEqual(loaded(before));
    expect(loaded(bytes).found).toEqual(loaded(readFileSync(other)).found);
    expect(bytes.length).toBeLessThanOrEqual(readFileSync(other).length);
    expect(execFileSync("readelf", ["-SW", own], { encoding: "utf8" })).not.toMatch(/debug|symtab/);
  });

  test.each(["x86_64", "aarch64"])("keeps what is loaded of the runtime for %s", async (arch) => {
    const file = path.join(root, "dist/runtime", arch, "fuselage");
    const before = readFileSync(file);
    const bytes = await stripElf(before, file);
    expect(loaded(bytes).programs).toEqual(loaded(before).programs);
    expect(await stripElf(bytes, file)).toEqual(bytes);
  });

  test("refuses what is no ELF file of 64 bits, and tables that lead out of it", async () => {
    const runtime = readFileSync(path.join(root, "dist/runtime/x86_64/fuselage"));
    const changed = (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(runtime);
      change(bytes);
      return bytes;
    };
    const table = Number(runtime.readBigUInt64LE(40));
    const last = table + (runtime.readUInt16LE(60) - 1) * 64;
    for (const [bytes, code] of [
      [Buffer.from("#!/bin/sh\n".padEnd(100)), "E_ELF_UNSUPPORTED"],
      [makeElf({ bits: 32 }), "E_ELF_UNSUPPORTED"],
      [changed((one) => one.writeUInt8(2, 5)), "E_ELF_UNSUPPORTED"],
      [changed((one) => one.writeBigUInt64LE(BigInt(one.length), 40)), "E_ELF_MALFORMED"],
      [changed((one) => one.writeBigUInt64LE(BigInt(one.length), 32)), "E_ELF_MALFORMED"],
      [changed((one) => one.writeUInt16LE(72, 58)), "E_ELF_MALFORMED"],
      [changed((one) => one.writeBigUInt64LE(2n ** 60n, last + 24)), "E_ELF_MALFORMED"],
      [runtime.subarray(0, 40), "E_ELF_MALFORMED"],
    ] as const) {
      await expect(stripElf(bytes, "x")).rejects.toMatchObject({ code });
    }
  });
});
