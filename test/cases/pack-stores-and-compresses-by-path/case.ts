import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

const text = (of: string) =>
  Array.from({ length: 40_000 }, (_, i) => `${of} ${i * 7919}\n`).join("");

export default {
  files: { "app/movie": text("movie"), "app/lib/a.js": text("a"), "app/lib/b.js": text("b") },
  args: ["pack", "app", "-o", "plain.sfs", "--compression", "zstd:3"],
  async check(cwd) {
    const pack = async (...more: string[]) => {
      const args = ["pack", "app", "-o", "out.sfs", "--compression", "zstd:3", ...more];
      expect((await bundle(args, { cwd })).stderr).toBe("");
      return readFileSync(`${cwd}/out.sfs`);
    };
    const plain = readFileSync(`${cwd}/plain.sfs`);
    expect(plain.includes("movie 7919\nmovie 15838")).toBe(false);
    const stored = await pack("--store", "movie");
    expect(stored.includes("movie 7919\nmovie 15838")).toBe(true);
    expect(stored.includes("a 7919\na 15838")).toBe(false);
    const denser = await pack("--compress", "lib/*=zstd:19");
    expect(denser.length).toBeLessThan(plain.length);
    // The last one that matches counts, and what is stored is.
    const mixed = ["--compress", "**=zstd:19", "--compress", "**=zstd:3", "--store", "movie"];
    expect((await pack(...mixed)).equals(stored)).toBe(true);
    await pack("--compress", "lib/*=zstd:19", "--store", "movie");
    const extracted = await bundle(["extract", "out.sfs", "-d", "out"], { cwd });
    expect(extracted.status).toBe(0);
    expect(
      (await bundle(["diff", "out", "app", "--no-times", "--no-owners"], { cwd })).stdout,
    ).toBe("");
  },
} satisfies Case;
