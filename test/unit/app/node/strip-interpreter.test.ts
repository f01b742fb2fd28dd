import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { stripElf } from "../../../../builder/app/node/strip-interpreter.ts";
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
    const bytes = stripElf(before, program);
    writeFileSync(own, bytes, { mode: 0o755 });
    expect(await run(own, [])).toMatchObject({ stdout: "runs\n", status: 0 });
    expect(loaded(bytes)).toEqual(loaded(before));
    expect(loaded(bytes).found).toEqual(loaded(readFileSync(other)).found);
    expect(bytes.length).toBeLessThanOrEqual(readFileSync(other).length);
    expect(execFileSync("readelf", ["-SW", own], { encoding: "utf8" })).not.toMatch(/debug|symtab/);
  });

  test.each(["x86_64", "aarch64"])("keeps what is loaded of the runtime for %s", (arch) => {
    const file = path.join(root, "dist/runtime", arch, "fuselage");
    const before = readFileSync(file);
    const bytes = stripElf(before, file);
    expect(loaded(bytes).programs).toEqual(loaded(before).programs);
    expect(stripElf(bytes, file)).toEqual(bytes);
  });

  test("refuses what is no ELF file of 64 bits, and tables that lead out of it", () => {
    expect(() => stripElf(Buffer.from("#!/bin/sh\n".padEnd(100)), "x")).toThrow(
      expect.objectContaining({ code: "E_ELF_UNSUPPORTED" }),
    );
    const bytes = readFileSync(path.join(root, "dist/runtime/x86_64/fuselage"));
    bytes.writeBigUInt64LE(BigInt(bytes.length), 40);
    expect(() => stripElf(bytes, "x")).toThrow(
      expect.objectContaining({ code: "E_ELF_MALFORMED" }),
    );
  });
});
