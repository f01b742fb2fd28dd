import { readdirSync, readFileSync, writeSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { BundleError } from "../../../builder/errors.ts";
import { runtimePath } from "../../../builder/host/paths.ts";
import { readRuntime, writeRun } from "../../../builder/output/write-bundle.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const invocation = {
  name: "app",
  entry: "run",
  args: [],
  env: [],
  noRuntimeOptions: false,
  version: "0.1.0",
  arch: "x86_64",
};

test("the image stands where the writer was told, and its size in the manifest", async () => {
  const file = path.join(temporaryDirectory(), "out");
  const runtime = await readRuntime(runtimePath("x86_64"));
  const image = Buffer.alloc(8192, "image");
  const written = await writeRun(file, runtime, invocation, async (fd, offset) => {
    writeSync(fd, image, 0, image.length, offset);
    return { paddedBytes: image.length };
  });
  const bytes = readFileSync(file);
  expect(written).toMatchObject({ size: bytes.length, manifest: { imageSize: 8192 } });
  expect(bytes.subarray(written.imageOffset).equals(image)).toBe(true);
  expect(bytes.subarray(0, 4).toString("latin1")).toBe("\x7fELF");
});

test("a writer that fails leaves nothing, and its failure gets the file's name", async () => {
  const dir = temporaryDirectory();
  const runtime = await readRuntime(runtimePath("x86_64"));
  const full = Object.assign(new Error("full"), { code: "ENOSPC" });
  const failing = writeRun(path.join(dir, "out"), runtime, invocation, async () => {
    throw new BundleError("E_OUTPUT_NO_SPACE", "writing failed", { path: "?", cause: full });
  });
  const code = "E_OUTPUT_NO_SPACE";
  await expect(failing).rejects.toMatchObject({ code, path: path.join(dir, "out") });
  expect(readdirSync(dir)).toEqual([]);
});

test("a runtime that is missing is named", async () => {
  const file = path.join(temporaryDirectory(), "gone");
  await expect(readRuntime(file)).rejects.toMatchObject({ code: "E_FILE_UNREADABLE", path: file });
});
