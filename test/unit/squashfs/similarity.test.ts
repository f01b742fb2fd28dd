/** Files that are made to resemble each other more than any do. */
import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { printed } from "../../support/bundle-of.ts";
import { bundleCommand, run } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** As native/similarity.cc has it: a number for each byte, the upper half of splitmix64. */
const gear = Array.from({ length: 256 }, (_, i) => {
  const u64 = (value: bigint) => BigInt.asUintN(64, value);
  let x = u64(BigInt(i + 1) * 0x9e3779b97f4a7c15n);
  x = u64((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n);
  x = u64((x ^ (x >> 27n)) * 0x94d049bb133111ebn);
  return Number((x ^ (x >> 31n)) >> 32n);
});

/** Text of which nearly each substring is taken for a sample, where of others one of 64 is. */
function sampledEverywhere(size: number): Buffer {
  const text = Buffer.alloc(size);
  let hash = 0;
  for (let i = 0; i < size; i++) {
    const start = (i * 7) % 256;
    for (let k = 0; k < 256; k++) {
      text[i] = (start + k) % 256;
      const next = ((hash << 2) + (gear[(start + k) % 256] ?? 0)) >>> 0;
      const mixed = Math.imul(next ^ (next >>> 15), 0x9e3779b1) >>> 0;
      if ((mixed >>> 8) % 64 === 0 || k === 255) {
        hash = next;
        break;
      }
    }
  }
  return text;
}

test("they take no more memory than others", async () => {
  const cwd = temporaryDirectory();
  mkdirSync(`${cwd}/app`);
  const text = sampledEverywhere(2048);
  for (let i = 0; i < 3000; i++) {
    writeFileSync(`${cwd}/app/${i}`, Buffer.concat([text, Buffer.from(`${i}`)]));
  }
  const says = "process.on('exit', () => console.error(process.resourceUsage().maxRSS))";
  const kilobytes = async (order: string) => {
    const pack = ["pack", "app", "-o", `${order}.sfs`, "--order", order, "--no-cache"];
    const node = ["--import", `data:text/javascript,${says}`, bundleCommand];
    const outcome = await run(process.execPath, [...node, ...pack], { cwd });
    printed({ ...outcome, stderr: "" });
    return Number(outcome.stderr);
  };
  const plain = await kilobytes("directory");
  expect(plain).toBeGreaterThan(0);
  expect(await kilobytes("similarity")).toBeLessThan(plain + 60_000);
});
