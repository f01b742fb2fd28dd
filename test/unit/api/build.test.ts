import { open, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { build } from "../../../builder/api/build.ts";
import { inspect } from "../../../builder/api/inspect.ts";
import { BundleError } from "../../../builder/errors.ts";
import { locateImage } from "../../../builder/image/locate.ts";
import type { Progress } from "../../../builder/squashfs/squashfs-options.ts";
import { smallApp, writeFiles } from "../../support/case.ts";
import { helloDirectory } from "../../support/hello.ts";
import { slowNoise } from "../../support/image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const hello = () => ({ input: helloDirectory, output: path.join(temporaryDirectory(), "out") });

test("the result tells what the file holds", async () => {
  const options = hello();
  const result = await build(options);
  expect(result).toMatchObject({ output: options.output, manifest: { entry: "bin/hello" } });
  const handle = await open(options.output);
  const { offset, available } = await locateImage(handle, options.output);
  await handle.close();
  expect([offset, available]).toEqual([result.imageOffset, result.image.paddedBytes]);
  expect((await inspect(options.output)).manifest).toEqual(result.manifest);
});

test("a manifest of any size leaves the image where the ELF ends", async () => {
  for (const length of [0, 1, 4000, 4096, 100_000]) {
    const options = { ...hello(), args: ["x".repeat(length)] };
    const { imageOffset, manifest } = await build(options);
    const inspection = await inspect(options.output);
    expect(inspection.imageOffset).toBe(imageOffset);
    expect(inspection.manifest).toEqual(manifest);
  }
});

test("the bytes are the same every time, for each architecture", async () => {
  for (const arch of ["x86_64", "aarch64"] as const) {
    const [one, two] = [hello(), hello()];
    await build({ ...one, arch, threads: 1 });
    await build({ ...two, arch, threads: 5 });
    const same = (await readFile(one.output)).equals(await readFile(two.output));
    expect(same).toBe(true);
  }
});

test("progress is told up to the end", async () => {
  const steps: Progress[] = [];
  await build({ ...hello(), onProgress: (progress) => steps.push({ ...progress }) });
  const last = steps.at(-1);
  expect(last?.bytes).toBe(last?.totalBytes);
  expect(last?.files).toBe(last?.totalFiles);
  expect(last?.totalFiles).toBe(2);
});

test("progress counts every file once, whatever its size", async () => {
  const dir = temporaryDirectory();
  const block = 131072;
  const sizes = [0, 1, block - 1, block, block + 1, 2 * block, 3 * block + 1];
  const files = sizes.flatMap((size) => [
    [`app/text-${size}`, Buffer.alloc(size, "text")],
    [`app/again-${size}`, Buffer.alloc(size, "text")],
    [`app/zero-${size}`, Buffer.alloc(size)],
  ]);
  writeFiles(dir, { ...smallApp, ...Object.fromEntries(files) });
  const steps: Progress[] = [];
  const paths = { input: path.join(dir, "app"), output: path.join(dir, "out") };
  await build({ ...paths, onProgress: (progress) => steps.push({ ...progress }) });
  const last = steps.at(-1);
  expect([last?.files, last?.totalFiles]).toEqual([files.length + 1, files.length + 1]);
  expect(last?.bytes).toBe(last?.totalBytes);
});

test("an aborted build rejects and leaves nothing", async () => {
  const dir = temporaryDirectory();
  writeFiles(dir, { ...smallApp, "app/large": slowNoise(8 << 20) });
  const controller = new AbortController();
  const building = build({
    input: path.join(dir, "app"),
    output: path.join(dir, "out"),
    compression: "zstd",
    level: 22,
    signal: controller.signal,
  });
  setTimeout(() => controller.abort(), 5);
  await expect(building).rejects.toThrow();
  expect(await readdir(dir)).toEqual(["app"]);
});

test("options are checked before anything is read", async () => {
  const wrong = { ...hello(), colour: "blue" };
  await expect(build(wrong)).rejects.toBeInstanceOf(BundleError);
  await expect(build(wrong)).rejects.toMatchObject({ code: "E_OPTION_UNKNOWN" });
});
