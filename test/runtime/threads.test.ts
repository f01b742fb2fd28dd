/** The reader's shared cache under ThreadSanitizer: no race, no wrong byte, no block twice. */
import { beforeAll, expect } from "vitest";
import { mksquashfs } from "../support/bundle-of.ts";
import { everyType } from "../support/every-type.ts";
import { skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { buildThreads } from "../support/sanitized.ts";

const check = skipUnless("gcc", "mksquashfs", "xattrs");
let program: string;
let tree: string;
beforeAll(async () => {
  program = (await buildThreads()).cache;
  tree = everyType();
}, 600_000);

const images: [string, string[]][] = [
  ["zstd", ["-comp", "zstd", "-b", "32K"]],
  ["gzip, no fragments", ["-comp", "gzip", "-no-fragments", "-b", "16K"]],
  ["nothing compressed", ["-noI", "-noD", "-noF", "-noX", "-b", "8K"]],
];

for (const [title, options] of images) {
  check(`six threads see what one sees, ${title}`, async () => {
    const image = await mksquashfs(tree, ...options);
    // A few blocks of room, so that they are evicted all the time; then room for everything.
    for (const bytes of ["1", "200000", "100000000"]) {
      const outcome = await run(program, [image, "6", bytes, "spend"]);
      expect(outcome).toMatchObject({ status: 0, signal: null, stderr: "" });
    }
  });

  check(`what fits is decompressed once however many want it, ${title}`, async () => {
    const image = await mksquashfs(tree, ...options);
    const loads = async (threads: string) => {
      const { stdout } = await run(program, [image, threads, "100000000", "keep"]);
      return /(\d+) loads/.exec(stdout)?.[1];
    };
    const alone = await loads("1");
    expect(Number(alone)).toBeGreaterThan(2);
    expect(await loads("6")).toBe(alone);
  });
}
