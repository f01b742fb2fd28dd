import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

/** Compresses; the blocks are of this test alone. */
const text = Array.from({ length: 60_000 }, (_, i) => `line ${i * 7919}\n`).join("");

export default {
  files: { "app/text": text, "app/small": "small\n" },
  args: ["pack", "app", "-o", "first.sfs", "--no-cache"],
  env: { XDG_CACHE_HOME: undefined },
  async check(cwd) {
    const env = { HOME: cwd, XDG_CACHE_HOME: path.join(cwd, "cache") };
    const at = path.join(cwd, "cache/fuselage-bundle");
    const info = async (action = "info") =>
      JSON.parse((await bundle(["cache", action, "--json"], { cwd, env })).stdout);
    const empty = { path: at, bytes: 0 };
    expect(await info()).toMatchObject(empty);
    expect(existsSync(at)).toBe(false);
    const pack = async (...more: string[]) => {
      const out = await bundle(["pack", "app", "-o", "next.sfs", ...more], { cwd, env });
      expect(out.stderr).toBe("");
      expect(readFileSync(`${cwd}/next.sfs`).equals(readFileSync(`${cwd}/first.sfs`))).toBe(true);
    };
    await pack("--no-cache");
    expect(await info()).toMatchObject(empty);
    await pack();
    await pack();
    const full = await info();
    const [blocks] = full.parts;
    expect(blocks).toMatchObject({ name: "blocks", files: 1 });
    expect(blocks.bytes).toBeGreaterThan(10_000);
    expect(blocks.limit).toBeGreaterThan(blocks.bytes);
    const shown = await bundle(["cache", "info"], { cwd, env });
    expect(shown.stdout).toMatch(
      /^.*fuselage-bundle: .* KiB\n {2}blocks +[0-9.]+ KiB in 1 file, at most /,
    );
    // What a link leads to is not ours to remove.
    mkdirSync(`${cwd}/mine`);
    writeFileSync(`${cwd}/mine/file`, "mine");
    symlinkSync(`${cwd}/mine`, path.join(at, "node"));
    expect((await info("clear")).bytes).toBeGreaterThan(blocks.bytes);
    expect(await info()).toMatchObject(empty);
    expect(readFileSync(`${cwd}/mine/file`, "utf8")).toBe("mine");
    await pack();
  },
} satisfies Case;
