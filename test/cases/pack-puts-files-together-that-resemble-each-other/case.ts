import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

const folders = Array.from({ length: 24 }, (_, i) => `app/package-${i}`);

/** Text that no compressor finds in another of these, of 3000 bytes. */
function noise(seed: number): string {
  let state = seed + 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return String.fromCharCode(97 + ((state >>> 16) % 26));
  };
  return Array.from({ length: 3000 }, next).join("");
}

const kinds = ["licence", "helper", "types", "table"].map((name, i) => [name, noise(i)] as const);

/** Each folder has a copy of each kind that differs a little, and no name says which is which. */
const files = Object.fromEntries(
  folders.flatMap((folder, i) => [
    ...kinds.map(([name, text], k) => [`${folder}/${(i + k) % 7}-${k}`, `${text}${name} ${i}\n`]),
    [`${folder}/own`, noise(100 + i)],
    [`${folder}/again`, "the same in each folder\n".repeat(20)],
    [`${folder}/empty`, ""],
  ]),
);

const args = (output: string, ...more: string[]) => {
  const block = ["--block-size", "16384", "--compression", "zstd:6"];
  return ["pack", "app", "-o", output, ...block, "--order", "similarity", "--json", ...more];
};

export default {
  files: {
    ...files,
    "app/large": noise(7).repeat(20),
    "app/whole": noise(8).repeat(16).slice(0, 32768),
  },
  args: args("one.sfs", "--threads", "1", "--no-cache"),
  async check(cwd) {
    const env = { XDG_CACHE_HOME: path.join(cwd, "cache") };
    const packed = async (output: string, ...more: string[]) => {
      const { status, stdout, stderr } = await bundle(args(output, ...more), { cwd, env });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      return { bytes: readFileSync(path.join(cwd, output)), image: JSON.parse(stdout).image };
    };
    const plain = [...args("plain.sfs").filter((one) => one !== "--order" && one !== "similarity")];
    expect((await bundle([...plain, "--no-cache"], { cwd })).status).toBe(0);
    const wanted = readFileSync(path.join(cwd, "one.sfs"));
    expect(wanted.length).toBeLessThan(0.75 * readFileSync(path.join(cwd, "plain.sfs")).length);

    for (const threads of ["2", "8"]) {
      expect(
        (await packed("out.sfs", "--threads", threads, "--no-cache")).bytes.equals(wanted),
      ).toBe(true);
    }
    // An empty cache, a full one, one that is damaged.
    const kept = path.join(cwd, "cache/fuselage-bundle/blocks");
    expect((await packed("out.sfs")).bytes.equals(wanted)).toBe(true);
    const full = await packed("out.sfs");
    expect(full.bytes.equals(wanted)).toBe(true);
    const names = readdirSync(kept);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) truncateSync(path.join(kept, name), 100);
    expect((await packed("out.sfs")).bytes.equals(wanted)).toBe(true);
    rmSync(kept, { recursive: true });
    mkdirSync(kept);
    expect((await packed("out.sfs")).bytes.equals(wanted)).toBe(true);

    const diff = await bundle(["diff", "one.sfs", "app", "--no-times", "--no-owners"], { cwd });
    expect(diff).toMatchObject({ status: 0, stdout: "" });
  },
} satisfies Case;
