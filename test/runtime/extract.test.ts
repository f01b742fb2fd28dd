/**
 * Extraction by several threads under ThreadSanitizer: no race, the same tree and the same failure
 * as by one. `taskset` gives it one processor, where it starts no thread.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect } from "vitest";
import { mksquashfs, printed } from "../support/bundle-of.ts";
import { everyType } from "../support/every-type.ts";
import { skipUnless } from "../support/needs.ts";
import { isRoot, root, run } from "../support/process.ts";
import { buildThreads } from "../support/sanitized.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const check = skipUnless("gcc", "mksquashfs", "xattrs");
let program: string;
let tree: string;
beforeAll(async () => {
  program = (await buildThreads()).extract;
  tree = everyType();
  // Written in parts, one of them a hole; and its other link comes first.
  const script = `
    mkdir big; seq 1 2000000 > big/file; truncate -s 15M big/file; seq 1 300000 >> big/file
    ln big/file aaa`;
  execFileSync("sh", ["-ec", script], { cwd: tree });
}, 600_000);

const serial = ["taskset", "-c", "0"];

async function extract(image: string, prefix: string[]): Promise<{ dir: string; said: string }> {
  const dir = temporaryDirectory();
  mkdirSync(dir, { recursive: true });
  const [command = "", ...args] = [...prefix, program, image, dir, ...(isRoot ? ["all"] : [])];
  const outcome = await run(command, args);
  expect(outcome).toMatchObject({ status: 0, signal: null, stderr: "" });
  return { dir, said: outcome.stdout };
}

const dumpOf = async (dir: string) =>
  printed(await run(process.execPath, [path.join(root, "test/support/dump.mjs"), dir]));

const images: [string, string[]][] = [
  ["zstd", ["-comp", "zstd", "-b", "32K"]],
  ["gzip, 1 MiB blocks", ["-comp", "gzip", "-b", "1M"]],
  ["nothing compressed, no fragments", ["-noI", "-noD", "-noF", "-noX", "-no-fragments"]],
];

for (const [title, options] of images) {
  check(`several threads extract what was packed, ${title}`, async () => {
    const image = await mksquashfs(tree, ...options);
    const source = await dumpOf(tree);
    const several = await extract(image, []);
    const one = await extract(image, serial);
    expect(several.said).toBe(one.said);
    for (const { dir } of [several, one]) {
      const dump = await dumpOf(dir);
      if (isRoot) expect(dump).toBe(source);
      else expect(dump.split("\n").length).toBe(source.split("\n").length);
    }
  });
}

check("several threads name the failure that one names", async () => {
  const image = await mksquashfs(tree, "-comp", "zstd", "-b", "32K");
  const bytes = readFileSync(image);
  const failed = new Set<string>();
  for (let round = 1; round <= 4; round++) {
    const copy = Buffer.from(bytes);
    // Contents come first in the image; three places of them, in another order than they stand.
    for (const at of [7, 3, 5]) {
      const where = Math.floor((bytes.length * (at * 12 + round)) / 140);
      copy.fill(0xff, where, where + 64);
    }
    const file = path.join(temporaryDirectory(), "damaged.sfs");
    writeFileSync(file, copy);
    const { said } = await extract(file, serial);
    for (let again = 0; again < 2; again++) expect((await extract(file, [])).said).toBe(said);
    failed.add(said);
  }
  expect(failed.size).toBeGreaterThan(1);
});
