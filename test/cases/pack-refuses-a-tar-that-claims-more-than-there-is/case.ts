import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

/** A header of a member `size` bytes long, as text of eight or as the number itself, with one block behind it. */
function member(type: string, size: Buffer): Buffer {
  const header = Buffer.alloc(1024, 0);
  header.write("a", 0);
  header.write("0000644", 100);
  size.copy(header, 124);
  header.write("00000000000", 136);
  header.write(" ".repeat(8), 148);
  header.write(type, 156);
  header.write("ustar\u000000", 257, "latin1");
  const sum = header.subarray(0, 512).reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

const octal = (size: number) => Buffer.from(size.toString(8).padStart(11, "0"));
function binary(size: bigint): Buffer {
  const bytes = Buffer.alloc(12);
  bytes[0] = 0x80;
  bytes.writeBigUInt64BE(size, 4);
  return bytes;
}

const archives: Record<string, Buffer> = {
  "file.tar": member("0", octal(2 ** 32)),
  "largest.tar": member("0", octal(2 ** 33 - 1)),
  "binary.tar": member("0", binary(2n ** 40n)),
  "beyond.tar": member("0", binary(2n ** 63n)),
  "name.tar": member("L", octal(2 ** 32)),
  "target.tar": member("K", octal(2 ** 32)),
  "records.tar": member("x", octal(2 ** 32)),
  "global.tar": member("g", octal(2 ** 32)),
};

export default {
  files: {},
  prepare(cwd) {
    for (const [name, bytes] of Object.entries(archives))
      writeFileSync(path.join(cwd, name), bytes);
  },
  args: ["pack", "file.tar", "-o", "out.sfs"],
  code: "E_ARCHIVE_CORRUPT",
  stderr: /file\.tar/,
  async check(cwd) {
    for (const name of Object.keys(archives)) {
      const { status, stderr } = await bundle(["pack", name, "-o", "out.sfs"], { cwd });
      expect(stderr).toMatch(/E_ARCHIVE_CORRUPT|E_INPUT_NOT_DIRECTORY/);
      expect(stderr).toContain(name);
      expect([status, existsSync(path.join(cwd, "out.sfs"))]).toEqual([1, false]);
    }
  },
} satisfies Case;
