import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { pack } from "../../../builder/api/pack.ts";
import type { Progress } from "../../../builder/squashfs/squashfs-options.ts";
import { smallApp, writeFiles } from "../../support/case.ts";
import { slowNoise } from "../../support/image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const formats = ["sfs", "zip", "b64"] as const;

function folder(): string {
  const dir = temporaryDirectory();
  writeFiles(dir, { ...smallApp, "app/data": Buffer.alloc(3 << 20, "some text ") });
  return dir;
}

test.each(formats)("%s: the result tells size, files and bytes", async (format) => {
  const dir = folder();
  const output = path.join(dir, "out");
  const steps: Progress[] = [];
  const onProgress = (progress: Progress) => steps.push({ ...progress });
  const result = await pack({ input: path.join(dir, "app"), output, format, onProgress });
  const { size } = statSync(output);
  expect(result).toMatchObject({ output, format, size, files: 2, contentBytes: (3 << 20) + 17 });
  expect(result.image === undefined).toBe(format === "zip");
  const last = { bytes: (3 << 20) + 17, totalBytes: (3 << 20) + 17, files: 2, totalFiles: 2 };
  expect(steps.at(-1)).toEqual(last);
  expect(readdirSync(dir).sort()).toEqual(["app", "out"]);
});

test.each(formats)("%s: an aborted run rejects and leaves nothing", async (format) => {
  const dir = temporaryDirectory();
  writeFiles(dir, { ...smallApp, "app/noise": slowNoise(8 << 20) });
  const slow = format === "zip" ? { level: 9 } : { level: 22 };
  const compression = format === "zip" ? ("gzip" as const) : ("zstd" as const);
  const paths = { input: path.join(dir, "app"), output: path.join(dir, "out") };
  const options = { ...paths, format, compression, ...slow };
  const controller = new AbortController();
  const packing = pack({ ...options, signal: controller.signal });
  setTimeout(() => controller.abort(), 3);
  await expect(packing).rejects.toThrow();
  expect(readdirSync(dir)).toEqual(["app"]);
});
