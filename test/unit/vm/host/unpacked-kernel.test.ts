/** A kernel in the user's cache, which others clear or make room in while a machine is being made. */
import { existsSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openKernel } from "../../../../builder/vm/host/unpacked-kernel.ts";
import type { Kernel } from "../../../../builder/vm/kernel.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

let kernels: string;
let kernel: Kernel;

beforeEach(() => {
  const dir = temporaryDirectory();
  vi.stubEnv("XDG_CACHE_HOME", dir);
  kernels = path.join(dir, "fuselage-bundle/kernels");
  const file = path.join(dir, "vmlinuz");
  writeFileSync(file, "as it is");
  // What cannot be unpacked is started as it is; what is in the cache is taken.
  const bytes = Buffer.from("as it is");
  kernel = { file, bytes, format: "bzImage", digest: "0".repeat(64) } as unknown as Kernel;
});

afterEach(() => {
  vi.unstubAllEnvs();
});

/** The file that is started. */
async function started(): Promise<string> {
  await using handle = await openKernel(kernel);
  return readlinkSync(`/proc/self/fd/${handle.fd}`);
}

test("is the one of the cache, or the one that was packed into it", async () => {
  expect(await started()).toBe(kernel.file);
  expect(existsSync(kernels)).toBe(true);
  const kept = path.join(kernels, kernel.digest);
  writeFileSync(kept, "unpacked");
  expect(await started()).toBe(kept);
});

test("stays open, or is started as it is, whenever its file goes", async () => {
  await started();
  const kept = path.join(kernels, kernel.digest);
  for (let turns = 0; turns < 20; turns++) {
    writeFileSync(kept, "unpacked");
    const opening = openKernel(kernel);
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    rmSync(kept);
    const handle = await opening;
    expect(["unpacked", "as it is"]).toContain(await handle.readFile("utf8"));
    await handle.close();
  }
  expect(readdirSync(kernels)).toEqual([]);
});

test("is said to be missing where it is gone as well", async () => {
  rmSync(kernel.file);
  await expect(openKernel(kernel)).rejects.toMatchObject({
    code: "E_FILE_UNREADABLE",
    path: kernel.file,
  });
});
