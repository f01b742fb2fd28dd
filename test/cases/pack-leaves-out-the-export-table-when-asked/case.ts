import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

/** Of the superblock: bit 7 of the flags, and where the table is. */
const exported = (image: Buffer) => [
  (image.readUInt16LE(24) & 0x80) !== 0,
  image.readBigInt64LE(88),
];

export default {
  files: { "app/x": "x" },
  args: ["pack", "app", "-o", "plain.sfs"],
  async check(cwd) {
    const [flag, table] = exported(readFileSync(`${cwd}/plain.sfs`));
    expect(flag).toBe(true);
    expect(table).toBeGreaterThan(96n);
    await bundle(["pack", "app", "-o", "out.sfs", "--no-exports"], { cwd });
    expect(exported(readFileSync(`${cwd}/out.sfs`))).toEqual([false, -1n]);
  },
} satisfies Case;
